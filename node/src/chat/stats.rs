//! The cluster's figures for those who watch them: read by clock, so a change costs nothing.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tracing::debug;

use crate::domain::stats::Stats;
use crate::lifecycle::Lifecycle;
use crate::store::Store;

/// How often the figures are read while somebody watches them.
pub const EVERY: Duration = Duration::from_secs(5);

/// Starts the task.
pub(super) fn start(store: Store, lifecycle: &Lifecycle) -> watch::Sender<Stats> {
    let sender = watch::Sender::default();
    lifecycle.spawn("stats", read(store, sender.clone()));
    sender
}

async fn read(store: Store, told: watch::Sender<Stats>) {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if told.receiver_count() == 0 {
            continue;
        }
        match store.stats().await {
            Ok(stats) => {
                told.send_if_modified(|it| std::mem::replace(it, stats) != stats);
            }
            Err(error) => debug!(%error, "the figures could not be read"),
        }
    }
}
