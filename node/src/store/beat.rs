//! The beat: twice a second a script refreshes this node's lease and publishes to the node's own
//! inbox, as any publication does. What returns and what is heard tells what is broken.
//!
//! Here lives begin: at the start, when the connection for commands was made anew, when the lease
//! was lost, and when Redis may have lost data.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use fred::clients::Client;
use fred::interfaces::{EventInterface, HashesInterface};
use serde::Deserialize;
use tokio::select;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::domain::id::NodeLife;
use crate::store::keys::PARTITIONS;
use crate::store::script::{ALLOW_OOM, Failure, Input, PRELUDE, Script};
use crate::store::shard::{PATIENCE, Shard};
use crate::store::subscriber::Heard;
use crate::store::{ClusterFigures, StoreError};

/// Four beats fit into the time within which a deaf node is found.
const BEAT_EVERY: Duration = Duration::from_millis(500);

/// A node that has not heard itself for so long is deaf, or Redis is away.
pub(crate) const UNHEARD_MAX: Duration = Duration::from_millis(1500);

/// Beats that returned unheard: one may just be on its way.
const RETURNED_UNHEARD_MAX: u32 = 2;

/// Layout of keys and scripts; another one is refused.
const FORMAT: u64 = 1;

static BEAT: LazyLock<Script> = LazyLock::new(|| {
    Script::new("beat", &[ALLOW_OOM, PRELUDE, include_str!("../../lua/beat.lua")])
});
static CLAIM: LazyLock<Script> =
    LazyLock::new(|| Script::new("claim", &[ALLOW_OOM, include_str!("../../lua/claim.lua")]));

/// A life in the table of living nodes, as the last beat answered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TableRow {
    pub(crate) life: NodeLife,
    pub(crate) is_dead: bool,
    connections: u64,
    rooms: u64,
}

/// What this node tells with its beats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Reported {
    pub(crate) connections: u64,
    pub(crate) rooms: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Claim {
    Claimed(u32, u64),
    Mismatch(u64, u64),
}

/// Generation, then life, state, connections and rooms of each.
#[derive(Debug, Deserialize)]
struct BeatAnswer(u64, Vec<(String, String, u64, u64)>);

/// The beating task.
pub(crate) struct Beat {
    pub(crate) shard: Arc<Shard>,
    /// Of this process alone, and new at each start.
    pub(crate) name: String,
    pub(crate) life: watch::Sender<NodeLife>,
    pub(crate) generation: u64,
    /// Number of the newest beat, and when it was asked for.
    pub(crate) asked: (u64, Instant),
    pub(crate) hearing: Hearing,
    pub(crate) heard: watch::Receiver<Heard>,
    pub(crate) reported: watch::Receiver<Reported>,
    pub(crate) table: watch::Sender<Vec<TableRow>>,
    pub(crate) deaf: Arc<Notify>,
}

/// Tells a deaf node from an absent Redis.
#[derive(Debug)]
pub(crate) struct Hearing {
    /// Beats that returned since one was heard.
    returned: u32,
    heard_at: Instant,
}

impl Hearing {
    pub(crate) fn new(now: Instant) -> Self {
        Self { returned: 0, heard_at: now }
    }

    fn heard(&mut self, at: Instant) {
        if self.heard_at < at {
            *self = Self::new(at);
        }
    }

    fn is_deaf(&self, now: Instant) -> bool {
        RETURNED_UNHEARD_MAX <= self.returned && self.heard_at + UNHEARD_MAX <= now
    }
}

/// Why there is no new life.
#[derive(Debug)]
pub(crate) enum NoLife {
    /// Waiting may help.
    NotNow(Failure),
    /// The prefix belongs to another format or number of partitions.
    Mismatch(String),
}

impl From<Failure> for NoLife {
    fn from(failure: Failure) -> Self {
        Self::NotNow(failure)
    }
}

impl Beat {
    /// Beats until told to retire. Where a client for commands had to connect anew, a call may
    /// still be on its way over the old connection: the life that it acts for ends.
    pub(crate) async fn run(
        mut self,
        publishing: Client,
        mut retire: oneshot::Receiver<oneshot::Sender<()>>,
        stop: CancellationToken,
    ) {
        let mut reconnects = self.shard.client.reconnect_rx();
        let mut publishing_reconnects = publishing.reconnect_rx();
        let mut stale = self.shard.stale.subscribe();
        let mut ticks = interval(BEAT_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut needs_life = false;
        loop {
            select! {
                biased;
                request = &mut retire => {
                    self.retire().await;
                    stop.cancel();
                    if request.is_ok_and(|done| done.send(()).is_err()) {
                        warn!("nobody waits for the end of this node's beats");
                    }
                    return;
                }
                _ = reconnects.recv() => {
                    needs_life = self.reconnected();
                    continue;
                }
                _ = publishing_reconnects.recv() => {
                    needs_life = self.reconnected();
                    continue;
                }
                Ok(()) = stale.changed() => {
                    needs_life |= *stale.borrow_and_update() == *self.life.borrow();
                }
                _ = ticks.tick() => (),
            }
            if needs_life {
                needs_life = !self.begin_life().await;
            } else {
                needs_life = self.beat().await;
            }
        }
    }

    /// Both clients connect anew at nearly the same time: the next tick begins one life for both.
    fn reconnected(&self) -> bool {
        self.shard.metrics.reconnects.increment(1);
        true
    }

    async fn begin_life(&mut self) -> bool {
        let Err(problem) = self.register().await else { return true };
        warn!(error = %StoreError::from(problem), "registering with redis failed; trying again");
        false
    }

    /// Begins a new life: claims an index, beats for the first time, and makes sure that the index
    /// is still this node's, as it may have been given away while this node was frozen.
    pub(crate) async fn register(&mut self) -> Result<(), NoLife> {
        let last = *self.life.borrow();
        let mut input = Input::default();
        input.key(self.shard.keys.nodes());
        input.key(self.shard.keys.control());
        input.text(&self.name);
        input.number(u64::from(last.index));
        input.number(PARTITIONS);
        input.number(FORMAT);
        let life = match CLAIM.call(&self.shard.client, &input, PATIENCE).await? {
            Claim::Claimed(index, incarnation) => NodeLife { index, incarnation },
            Claim::Mismatch(partitions, format) => {
                return Err(NoLife::Mismatch(format!(
                    "the prefix was made with {partitions} partitions and format {format}, this \
                     release has {PARTITIONS} and {FORMAT}; use another redis.prefix"
                )));
            }
        };
        let answer = self.call("register", life).await?;
        let kept: Result<Option<String>, _> =
            self.shard.client.hget(self.shard.keys.nodes(), self.name.as_str()).await;
        let kept = kept.map_err(Failure::from)?;
        if kept.is_none_or(|it| !it.starts_with(&format!("{} ", life.index))) {
            return Err(NoLife::NotNow(Failure::Stale));
        }
        info!(node.life = %life, "a new life of this node begins");
        self.take(answer);
        self.life.send_replace(life);
        Ok(())
    }

    /// Beats once; answers whether this life is over.
    async fn beat(&mut self) -> bool {
        let (life, generation) = (*self.life.borrow(), self.generation);
        self.listen();
        match self.call("refresh", life).await {
            Ok(answer) => {
                self.hearing.returned += 1;
                self.take(answer);
                self.notice_deafness();
                self.generation != generation
            }
            Err(Failure::Stale) => true,
            Err(failure) => {
                // Whether it matters is for the health to say, which warns once.
                debug!(error = ?failure, "a beat did not return");
                false
            }
        }
    }

    /// Looks which beat was heard last.
    fn listen(&mut self) {
        let heard = *self.heard.borrow_and_update();
        self.hearing.heard(heard.at);
        let (beat, asked_at) = self.asked;
        if heard.beat == beat {
            let lag = heard.at.saturating_duration_since(asked_at);
            self.shard.metrics.beat_lag.record(lag.as_secs_f64());
        }
    }

    fn notice_deafness(&mut self) {
        let now = Instant::now();
        self.hearing.heard(self.heard.borrow().at);
        if self.hearing.is_deaf(now) {
            self.deaf.notify_one();
            // The new connection gets as long again before the next is tried.
            self.hearing = Hearing::new(now);
        }
    }

    /// The lease ends soon, so users who return elsewhere within it were never gone.
    async fn retire(&mut self) {
        let life = *self.life.borrow();
        if let Err(failure) = self.call("retire", life).await {
            warn!(error = ?failure, "ending this node's lease early failed; it ends by itself");
        }
    }

    async fn call(&mut self, mode: &'static str, life: NodeLife) -> Result<BeatAnswer, Failure> {
        let Reported { connections, rooms } = *self.reported.borrow();
        let mut input = self.shard.input(life);
        input.text(mode);
        self.asked = (self.asked.0 + 1, Instant::now());
        input.number(self.asked.0);
        input.number(connections);
        input.number(rooms);
        BEAT.once(&self.shard.client, &input).await
    }

    fn take(&mut self, BeatAnswer(generation, lives): BeatAnswer) {
        self.generation = generation;
        let rows = lives.into_iter().filter_map(|(life, state, connections, rooms)| {
            let (index, incarnation) = life.split_once('.')?;
            let life =
                NodeLife { index: index.parse().ok()?, incarnation: incarnation.parse().ok()? };
            Some(TableRow { life, is_dead: state == "dead", connections, rooms })
        });
        self.table.send_replace(rows.collect());
    }
}

/// Sums the figures of the newest life of each living node.
pub(crate) fn figures(table: &[TableRow]) -> ClusterFigures {
    let mut newest: BTreeMap<u32, &TableRow> = BTreeMap::new();
    for row in table.iter().filter(|row| !row.is_dead) {
        let kept = newest.entry(row.life.index).or_insert(row);
        if kept.life < row.life {
            *kept = row;
        }
    }
    newest.values().fold(ClusterFigures::default(), |sum, row| ClusterFigures {
        nodes: sum.nodes + 1,
        connections: sum.connections + row.connections,
        rooms: sum.rooms + row.rooms,
    })
}

impl From<NoLife> for StoreError {
    fn from(problem: NoLife) -> Self {
        match problem {
            NoLife::NotNow(failure) => failure.into(),
            NoLife::Mismatch(message) => Self::refused(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_node_is_deaf_only_when_beats_return_unheard_for_long() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let mut hearing = Hearing::new(start);
        assert!(!hearing.is_deaf(after(60_000)), "no beat returns: redis is away");
        hearing.returned += 2;
        assert!(!hearing.is_deaf(after(1499)));
        assert!(hearing.is_deaf(after(1500)));
        hearing.heard(after(1400));
        hearing.returned += 1;
        assert!(!hearing.is_deaf(after(60_000)), "one beat may be on its way");
        hearing.returned += 1;
        assert!(hearing.is_deaf(after(2900)));
    }

    #[test]
    fn figures_count_each_living_node_once() {
        let row = |index, incarnation, is_dead, connections| TableRow {
            life: NodeLife { index, incarnation },
            is_dead,
            connections,
            rooms: 1,
        };
        let table =
            [row(0, 8, false, 3), row(0, 9, false, 4), row(1, 5, true, 100), row(2, 7, false, 5)];
        let expected = ClusterFigures { nodes: 2, connections: 9, rooms: 2 };
        assert_eq!(figures(&table), expected);
    }
}
