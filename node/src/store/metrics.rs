//! What the store counts.

use std::fmt;

use metrics::{Counter, Histogram, counter, describe_counter, describe_histogram, histogram};

/// Handles of the store's own metrics; scripts keep theirs.
#[derive(Clone)]
pub(crate) struct Metrics {
    pub(crate) stored: Counter,
    pub(crate) duplicate: Counter,
    pub(crate) refused: Counter,
    pub(crate) failed: Counter,
    pub(crate) unknown: Counter,
    pub(crate) signals_dropped: Counter,
    pub(crate) reconnects: Counter,
    pub(crate) beat_lag: Histogram,
}

const PUBLISHED: &str = "parlance_messages_published_total";
const SIGNALS_DROPPED: &str = "parlance_signals_dropped_total";
const RECONNECTS: &str = "parlance_redis_reconnects_total";
const BEAT_LAG: &str = "parlance_redis_beat_lag_seconds";
const SCRIPT: &str = "parlance_redis_command_duration_seconds";

impl Metrics {
    pub(crate) fn register() -> Self {
        describe_counter!(PUBLISHED, "Events given to Redis, by what came of them");
        describe_counter!(SIGNALS_DROPPED, "Signals dropped because the publisher was busy");
        describe_counter!(RECONNECTS, "Connections to Redis that were made again");
        describe_histogram!(
            BEAT_LAG,
            metrics::Unit::Seconds,
            "From asking for a beat to hearing it in the node's own inbox"
        );
        describe_histogram!(
            SCRIPT,
            metrics::Unit::Seconds,
            "From asking Redis for a script to its answer"
        );
        Self {
            stored: counter!(PUBLISHED, "result" => "stored"),
            duplicate: counter!(PUBLISHED, "result" => "duplicate"),
            refused: counter!(PUBLISHED, "result" => "refused"),
            failed: counter!(PUBLISHED, "result" => "failed"),
            unknown: counter!(PUBLISHED, "result" => "unknown"),
            signals_dropped: counter!(SIGNALS_DROPPED),
            reconnects: counter!(RECONNECTS),
            beat_lag: histogram!(BEAT_LAG),
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// How long a script takes.
pub(crate) fn of_script(script: &'static str) -> Histogram {
    histogram!(SCRIPT, "script" => script)
}
