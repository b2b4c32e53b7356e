//! The only reader of wall time: tokens and log lines need it, nothing else does.
//!
//! Order, presence, limits and history go by Redis' clock, so a node's clock may be wrong.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::domain::time::Timestamp;

/// The present wall time of this machine.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads wall time")]
#[must_use]
pub fn now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX))
}
