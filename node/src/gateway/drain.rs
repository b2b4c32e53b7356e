//! When which connection of a leaving node is closed.
//!
//! A thousand clients that reconnect in one instant hit the other nodes like a flood, so the
//! closes are spread over the time there is, each connection at a place that its number gives it.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::domain::id::ConnId;

/// How long a closing connection may take to write what it still has.
pub(super) const FLUSH_MAX: Duration = Duration::from_secs(2);

/// This node leaves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaving {
    /// When the first connection is closed.
    pub(super) begins: Instant,
    /// Over how long the closes are spread.
    pub(super) spread: Duration,
}

/// Resolves when it is `conn`'s turn to be closed.
pub(super) async fn turn(mut leaving: watch::Receiver<Option<Leaving>>, conn: ConnId) {
    let plan = match leaving.wait_for(Option::is_some).await {
        Ok(plan) => *plan,
        Err(_never_leaves) => None,
    };
    match plan {
        Some(plan) => sleep_until(plan.begins + delay(plan.spread, conn)).await,
        None => std::future::pending().await,
    }
}

/// A place in `spread`, even and without order: neighbours by number close far apart.
fn delay(spread: Duration, conn: ConnId) -> Duration {
    const PLACES: u32 = 1 << 16;
    // Multiplying by 2^64 over the golden ratio scatters successive numbers evenly.
    let place = conn.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
    spread / PLACES * u32::try_from(place).unwrap_or(PLACES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closes_are_spread_evenly() {
        let spread = Duration::from_secs(4);
        let mut quarters = [0; 4];
        for conn in 0..1000 {
            let delay = delay(spread, ConnId(conn));
            assert!(delay < spread);
            quarters[usize::try_from(delay.as_secs()).unwrap()] += 1;
        }
        assert!(quarters.iter().all(|it| (240..=260).contains(it)), "{quarters:?}");
    }
}
