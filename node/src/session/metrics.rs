//! What sessions count.

use std::sync::Arc;

use metrics::{Counter, Histogram, counter, describe_counter, describe_histogram, histogram};

use crate::domain::refusal::Refusal;

/// Metrics of all sessions.
#[derive(Debug)]
pub(super) struct Metrics {
    pub(super) slow_consumer_closes: Counter,
}

impl Metrics {
    /// Registers them.
    pub(super) fn new() -> Self {
        describe_counter!(
            "parlance_slow_consumer_closes_total",
            "Connections closed because they read too slowly"
        );
        describe_counter!(
            "parlance_events_received_total",
            "Events that clients sent, by event and result"
        );
        describe_counter!(
            "parlance_rate_limited_total",
            "Events refused as too frequent, by scope"
        );
        describe_histogram!(
            "parlance_event_handle_duration_seconds",
            "Time from taking an event to having its answer"
        );
        Self { slow_consumer_closes: counter!("parlance_slow_consumer_closes_total") }
    }

    /// The label of an event that no dialect knows.
    pub(super) const OTHER: &'static str = "other";
}

/// Counts one event of a known name, or [`Metrics::OTHER`].
pub(super) fn counted(event: &Arc<str>, refusal: Option<&Refusal>, took: std::time::Duration) {
    let result = refusal.map_or("ok", Refusal::code);
    counter!(
        "parlance_events_received_total",
        "event" => Arc::clone(event),
        "result" => result
    )
    .increment(1);
    duration(event).record(took);
    if let Some(Refusal::RateLimited { .. }) = refusal {
        counter!("parlance_rate_limited_total", "scope" => Arc::clone(event)).increment(1);
    }
}

fn duration(event: &Arc<str>) -> Histogram {
    histogram!("parlance_event_handle_duration_seconds", "event" => Arc::clone(event))
}
