//! Clears away after nodes that died: their presence, their life, and at last their index.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::select;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::store::StoreError;
use crate::store::beat::TableRow;
use crate::store::presence;
use crate::store::script::{ALLOW_OOM, Input, Script};
use crate::store::shard::{PATIENCE, Shard};

/// How often indexes without lives are looked for.
const RELEASE_EVERY: Duration = Duration::from_secs(60);

/// A node that claims an index registers its life within this, or claims again.
const CLAIM_STANDS: Duration = Duration::from_secs(60);

static RELEASE: LazyLock<Script> =
    LazyLock::new(|| Script::new("release", &[ALLOW_OOM, include_str!("../../lua/release.lua")]));

/// Reaps whatever the table of lives says is dead, as often as a beat brings the table. Every node
/// does so: nothing is claimed, so a reaper's own death needs no care.
pub(crate) async fn run(
    shard: Arc<Shard>,
    mut table: watch::Receiver<Vec<TableRow>>,
    stop: CancellationToken,
) {
    let mut released = Instant::now();
    loop {
        select! {
            biased;
            () = stop.cancelled() => return,
            changed = table.changed() => if changed.is_err() { return },
        }
        let rows = table.borrow_and_update().clone();
        for row in rows.iter().filter(|row| row.is_dead) {
            match presence::reap(&shard, row.life).await {
                Ok(()) => info!(node.life = %row.life, "cleared away after a node that died"),
                Err(error) => {
                    warn!(node.life = %row.life, %error, "clearing away after a node failed; trying again");
                }
            }
        }
        if RELEASE_EVERY <= released.elapsed() {
            released = Instant::now();
            if let Err(error) = release(&shard, &rows).await {
                warn!(%error, "freeing indexes of nodes that are gone failed; trying again");
            }
        }
    }
}

async fn release(shard: &Shard, rows: &[TableRow]) -> Result<(), StoreError> {
    let used: BTreeSet<u32> = rows.iter().map(|row| row.life.index).collect();
    let mut input = Input::default();
    input.key(shard.keys.nodes());
    input.number(CLAIM_STANDS.as_millis().try_into().unwrap_or(u64::MAX));
    used.iter().for_each(|&index| input.number(u64::from(index)));
    let _released: u64 = RELEASE.call(&shard.client, &input, PATIENCE).await?;
    Ok(())
}
