//! What has to hold a batch beside the Redis that stored it, before its senders are told.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use fred::clients::Client;
use fred::interfaces::{ConfigInterface, ServerInterface};
use fred::types::InfoKind;
use fred::types::config::Config as FredConfig;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::warn;

use crate::store::StoreError;
use crate::store::config::Durability;
use crate::store::connect::{ask, field, info};
use crate::store::script::{ALLOW_OOM, Failure, PRELUDE, Script};
use crate::store::shard::Shard;

/// How long replicas are waited for before it is looked again how many it takes.
const ASK_AGAIN: Duration = Duration::from_millis(500);

static GENERATION: LazyLock<Script> = LazyLock::new(|| {
    Script::new("generation", &[ALLOW_OOM, PRELUDE, include_str!("../../lua/generation.lua")])
});

/// A batch that was just stored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stored {
    /// That of the shard when it was stored.
    pub(crate) generation: u64,
    /// Nobody waits for it any longer than this.
    pub(crate) deadline: Instant,
}

/// When a batch that Redis has stored is safe.
#[derive(Debug, Clone)]
pub(crate) enum Confirmation {
    /// At once: nothing more was asked for, or Redis answers only when its disk has it.
    Stored,
    /// When so many replicas have it too.
    Replicated(watch::Receiver<u64>),
}

impl Confirmation {
    /// How `durability` is kept on the Redis at `address`, where that may take so many replicas.
    pub(crate) async fn choose(
        durability: Durability,
        address: &FredConfig,
        client: &Client,
        replicas: watch::Receiver<u64>,
    ) -> Result<Self, StoreError> {
        match durability {
            Durability::Fast => return Ok(Self::Stored),
            Durability::Durable => (),
        }
        let replication = info(client, InfoKind::Replication).await?;
        let has_replica = field(&replication, "connected_slaves").is_some_and(|it| it != "0");
        // What sentinels or a cluster watch may lose its primary, disk and all.
        let server = &address.server;
        if has_replica || server.is_sentinel() || server.is_clustered() {
            let needs =
                "WAIT, which durability = \"durable\" needs: allow it with ACL SETUSER … +wait";
            let _replicas: u64 = ask(needs, || client.wait(0, 1)).await?;
            return Ok(Self::Replicated(replicas));
        }
        let appends = setting(client, "appendonly").await? == "yes";
        if appends && setting(client, "appendfsync").await? == "always" {
            return Ok(Self::Stored);
        }
        Err(StoreError::refused(
            "durability is \"durable\", and this redis has no replica and acknowledges what its \
             disk does not have: attach a replica, or run CONFIG SET appendonly yes and CONFIG SET \
             appendfsync always, and set both in its configuration file"
                .to_owned(),
        ))
    }

    /// Waits until the batch that was just stored over `client` is safe.
    pub(crate) async fn of_batch(
        &self,
        shard: &Shard,
        client: &Client,
        batch: Stored,
    ) -> Result<(), Failure> {
        match self {
            Self::Stored => Ok(()),
            // Whatever went wrong, the batch is stored.
            Self::Replicated(replicas) => {
                replicated(shard, client, replicas, batch).await.map_err(|failure| {
                    warn!(error = ?failure, "a batch was not confirmed by replicas");
                    Failure::Unknown("no replica has confirmed it".to_owned())
                })
            }
        }
    }
}

async fn replicated(
    shard: &Shard,
    client: &Client,
    needed: &watch::Receiver<u64>,
    batch: Stored,
) -> Result<(), Failure> {
    loop {
        let left = batch.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Failure::Unknown("no replica answered in time".to_owned()));
        }
        // At least one: 0 would be for ever.
        let patience_ms = left.min(ASK_AGAIN).as_millis().max(1);
        let asked = i64::try_from(*needed.borrow()).unwrap_or(i64::MAX);
        let patience_ms = i64::try_from(patience_ms).unwrap_or(i64::MAX);
        let replicas: u64 = client.wait(asked, patience_ms).await?;
        // It may have become more, or fewer.
        if *needed.borrow() <= replicas {
            break;
        }
    }
    // The connection may have been made anew meanwhile, and lead to a promoted replica that has
    // replicas of its own but not the batch.
    let life = *shard.life.borrow();
    let now: u64 = GENERATION.once(client, &shard.input(life)).await?;
    if now == batch.generation {
        Ok(())
    } else {
        Err(Failure::Unknown(format!("generation {} ended at {now}", batch.generation)))
    }
}

async fn setting(client: &Client, name: &str) -> Result<String, StoreError> {
    let needs = "CONFIG GET, which durability = \"durable\" needs where there is no replica: allow it \
                 with ACL SETUSER … +config|get";
    let mut found: HashMap<String, String> = ask(needs, || client.config_get(name)).await?;
    Ok(found.remove(name).unwrap_or_default())
}
