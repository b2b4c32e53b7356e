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

const RECOVERIES: &str = "parlance_recoveries_total";
const OVERFLOWS: &str = "parlance_recovery_overflows_total";

impl Metrics {
    /// Registers them, for events of these names.
    pub(super) fn new<'a>(events: impl Iterator<Item = &'a str>) -> Self {
        describe_counter!(SLOW_CLOSES, "Connections closed because they read too slowly");
        describe_counter!(EVENTS, "Events that clients sent, by event and result");
        describe_counter!(RATE_LIMITED, "Events refused as too frequent, by scope");
        describe_histogram!(DURATION, "Time from taking an event to having its answer");
        counter!(RATE_LIMITED, "scope" => Self::OTHER).increment(0);
        describe_counter!(RECOVERIES, "Clients that asked for what they had, by outcome");
        describe_counter!(OVERFLOWS, "Connections that leave less behind than they had, by what");
        Self {
            slow_consumer_closes: counter!(SLOW_CLOSES),
            recoveries_exact: counter!(RECOVERIES, "outcome" => "exact"),
            recoveries_by_time: counter!(RECOVERIES, "outcome" => "by_time"),
            recoveries_none: counter!(RECOVERIES, "outcome" => "none"),
            recoveries_failed: counter!(RECOVERIES, "outcome" => "failed"),
            overflows_of_events: counter!(OVERFLOWS, "what" => "events"),
            overflows_of_rooms: counter!(OVERFLOWS, "what" => "rooms"),
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
