//! What sessions count.

use std::sync::Arc;

use metrics::{Counter, Histogram, counter, describe_counter, describe_histogram, histogram};

use crate::domain::refusal::Refusal;

/// Metrics of all sessions.
#[derive(Debug)]
pub(super) struct Metrics {
    pub(super) slow_consumer_closes: Counter,
    /// Connections that were taken up, each room exactly where its client was.
    pub(super) recoveries_exact: Counter,
    /// Connections of which it was not known in which order their rooms were written.
    pub(super) recoveries_by_time: Counter,
    /// Clients whose earlier connection had left nothing.
    pub(super) recoveries_none: Counter,
    /// Clients that have to come back once more, because Redis did not answer.
    pub(super) recoveries_failed: Counter,
    /// Connections that wrote more events between two pongs than are kept in order.
    pub(super) overflows_of_events: Counter,
    /// Connections that are in more rooms than are kept.
    pub(super) overflows_of_rooms: Counter,
}

const RECOVERIES: &str = "parlance_recoveries_total";
const OVERFLOWS: &str = "parlance_recovery_overflows_total";

impl Metrics {
    /// Registers them.
    pub(super) fn new() -> Self {
        describe_counter!(
            "parlance_slow_consumer_closes_total",
            "Connections closed because they read too slowly"
        );
        describe_counter!(RECOVERIES, "Clients that asked for what they had, by outcome");
        describe_counter!(OVERFLOWS, "Connections that leave less behind than they had, by what");
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
        Self {
            slow_consumer_closes: counter!("parlance_slow_consumer_closes_total"),
            recoveries_exact: counter!(RECOVERIES, "outcome" => "exact"),
            recoveries_by_time: counter!(RECOVERIES, "outcome" => "by_time"),
            recoveries_none: counter!(RECOVERIES, "outcome" => "none"),
            recoveries_failed: counter!(RECOVERIES, "outcome" => "failed"),
            overflows_of_events: counter!(OVERFLOWS, "what" => "events"),
            overflows_of_rooms: counter!(OVERFLOWS, "what" => "rooms"),
        }
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
