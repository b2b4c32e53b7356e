//! What the store counts.

use std::time::Duration;

/// How long a script took, from asking to its answer, in seconds.
pub(crate) fn script_took(script: &'static str, duration: Duration) {
    metrics::histogram!("parlance_redis_command_duration_seconds", "script" => script)
        .record(duration.as_secs_f64());
}
