//! What every operation needs to reach Redis: its client, its key names, and this node's life.
//!
//! A shard is what sequences. On a single Redis there is exactly one, for all partitions.

use std::time::Duration;

use fred::clients::Client;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::domain::id::NodeLife;
use crate::store::config::History;
use crate::store::keys::Keys;
use crate::store::metrics::Metrics;
use crate::store::script::{Failure, Input, Script};

/// How long an operation waits for Redis in all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

/// One Redis, as operations other than publishing see it.
#[derive(Debug)]
pub(crate) struct Shard {
    pub(crate) client: Client,
    pub(crate) keys: Keys,
    pub(crate) life: watch::Receiver<NodeLife>,
    pub(crate) history: History,
    /// How long what was revoked is remembered.
    pub(crate) revoked_for: Duration,
    pub(crate) metrics: Metrics,
    /// The life that Redis refused last: the beat begins a new one at once.
    pub(crate) stale: watch::Sender<NodeLife>,
}

impl Shard {
    /// Keys and arguments that the prelude of every script expects first.
    pub(crate) fn input(&self, life: NodeLife) -> Input {
        let mut input = Input {
            keys: vec![self.keys.generation(), self.keys.live(), self.keys.inbox_counters()],
            args: Vec::new(),
        };
        input.text(&life.to_string());
        input.text(&self.keys.inbox_prefix());
        input
    }

    /// Seconds for which an entry is kept.
    pub(crate) fn kept_s(&self) -> u64 {
        self.history.days * 86_400
    }

    /// Runs a fenced script for this node's life, and again for the next one where Redis does not
    /// know the present one; for at most [`PATIENCE`]. `fill` adds the script's own keys and
    /// arguments.
    pub(crate) async fn run<T: DeserializeOwned>(
        &self,
        script: &Script,
        fill: impl Fn(NodeLife, &mut Input),
    ) -> Result<T, Failure> {
        let give_up = Instant::now() + PATIENCE;
        let mut life = self.life.clone();
        loop {
            // Marked as seen, so waiting for a change waits for the life after this one.
            let present = *life.borrow_and_update();
            let mut input = self.input(present);
            fill(present, &mut input);
            let patience = give_up.saturating_duration_since(Instant::now());
            match script.call(&self.client, &input, patience).await {
                Err(Failure::Stale) => {
                    self.stale.send_replace(present);
                    let Ok(Ok(())) = timeout_at(give_up, life.changed()).await else {
                        return Err(Failure::Stale);
                    };
                }
                answer => return answer,
            }
        }
    }
}
