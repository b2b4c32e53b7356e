//! What sessions count.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, Histogram, counter, describe_counter, describe_histogram, histogram};

use crate::domain::refusal::Refusal;

const EVENTS: &str = "parlance_events_received_total";
const DURATION: &str = "parlance_event_handle_duration_seconds";
const RATE_LIMITED: &str = "parlance_rate_limited_total";
const SLOW_CLOSES: &str = "parlance_slow_consumer_closes_total";

/// Metrics of all sessions.
#[derive(Debug)]
pub(super) struct Metrics {
    pub(super) slow_consumer_closes: Counter,
    /// Of the events that clients may send: nothing is registered while they are counted.
    events: HashMap<Arc<str>, OfEvent>,
    other: OfEvent,
}

/// What is counted of each event that is carried out.
#[derive(Debug)]
struct OfEvent {
    ok: Counter,
    duration: Histogram,
}

impl OfEvent {
    fn new(event: &str) -> Self {
        let event: Arc<str> = Arc::from(event);
        Self {
            ok: counter!(EVENTS, "event" => Arc::clone(&event), "result" => "ok"),
            duration: histogram!(DURATION, "event" => event),
        }
    }
}

impl Metrics {
    /// Registers them, for events of these names.
    pub(super) fn new<'a>(events: impl Iterator<Item = &'a str>) -> Self {
        describe_counter!(SLOW_CLOSES, "Connections closed because they read too slowly");
        describe_counter!(EVENTS, "Events that clients sent, by event and result");
        describe_counter!(RATE_LIMITED, "Events refused as too frequent, by scope");
        describe_histogram!(DURATION, "Time from taking an event to having its answer");
        counter!(RATE_LIMITED, "scope" => Self::OTHER).increment(0);
        Self {
            slow_consumer_closes: counter!(SLOW_CLOSES),
            events: events.map(|event| (Arc::from(event), OfEvent::new(event))).collect(),
            other: OfEvent::new(Self::OTHER),
        }
    }

    /// The label of an event that no dialect knows.
    pub(super) const OTHER: &'static str = "other";

    /// Counts one event of a known name, or [`Self::OTHER`].
    pub(super) fn counted(&self, event: &str, refusal: Option<&Refusal>, took: Duration) {
        let known = self.events.get_key_value(event);
        let (event, handles) = known.map_or((Self::OTHER, &self.other), |(name, it)| (&**name, it));
        handles.duration.record(took);
        let Some(refusal) = refusal else { return handles.ok.increment(1) };
        let event: Arc<str> = Arc::from(event);
        if let Refusal::RateLimited { .. } = refusal {
            counter!(RATE_LIMITED, "scope" => Arc::clone(&event)).increment(1);
        }
        counter!(EVENTS, "event" => event, "result" => refusal.code()).increment(1);
    }
}
