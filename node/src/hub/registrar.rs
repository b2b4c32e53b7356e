//! Carries who is here to Redis, in batches, one call at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::{debug, warn};

use crate::hub::directory::{Changes, Directory};
use crate::lifecycle::Lifecycle;
use crate::store::{Store, StoreError};

/// Pause after a failed call.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// How often the registrar looks even if nothing seems to have changed.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// How often Redis is told who has said that they are still there: one call, however many.
const SEEN_EVERY: Duration = Duration::from_secs(1);

/// Runs until the node drains: a draining node takes nobody down, because its users return
/// elsewhere; whoever does not is reaped when the node's lease ends.
pub(crate) async fn run(store: Store, directory: Arc<Directory>, lifecycle: Lifecycle) {
    let mut life = store.life();
    let mut seen = interval(SEEN_EVERY);
    seen.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let next_grace = directory.next_grace().unwrap_or_else(|| Instant::now() + LOOK_AGAIN);
        tokio::select! {
            biased;
            () = lifecycle.stopping() => return,
            Ok(()) = life.changed() => directory.forget_registrations(),
            () = directory.changed() => (),
            _ = seen.tick() => {
                tell_seen(&store, &directory).await;
                continue;
            }
            () = tokio::time::sleep_until(next_grace) => (),
        }
        while !lifecycle.is_stopping() {
            let changes = directory.changes(Instant::now());
            if changes.is_empty() {
                break;
            }
            match carry(&store, &changes).await {
                Ok(()) => directory.settle(&changes),
                Err(error) => {
                    warn!(%error, "presence could not be told to redis, trying again");
                    directory.retry(&changes);
                    tokio::time::sleep(RETRY_PAUSE).await;
                    if life.has_changed().unwrap_or(false) {
                        break;
                    }
                }
            }
        }
    }
}

/// Users before their rooms: a room hears of an offline user before the user has left it.
async fn carry(store: &Store, changes: &Changes) -> Result<(), StoreError> {
    if !changes.up.is_empty() {
        store.up(&changes.up).await?;
    }
    if !changes.enter.is_empty() {
        store.enter(&changes.enter).await?;
    }
    if !changes.down.is_empty() {
        store.down(&changes.down).await?;
    }
    if !changes.exit.is_empty() {
        store.exit(&changes.exit).await?;
    }
    Ok(())
}

async fn tell_seen(store: &Store, directory: &Directory) {
    let seen = directory.take_seen();
    if seen.is_empty() {
        return;
    }
    if let Err(error) = store.seen(&seen).await {
        // A list then shows them as seen a little earlier.
        debug!(%error, "redis was not told who is still there");
    }
}
