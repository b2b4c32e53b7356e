//! The only code that knows Redis: it sequences, stores and counts.
//!
//! The hub and the chat core call [`Store`]; what other nodes did arrives through the channels that
//! the hub gave to [`connect()`]. Nothing is ever delivered before its echo came from Redis.

pub mod config;
pub mod embedded;
pub mod recovery;

mod audit;
mod bars;
mod beat;
mod client;
mod codec;
mod confirm;
mod connect;
mod devices;
mod feed;
mod interest;
mod keys;
mod listed;
mod log;
mod members;
mod metrics;
mod news;
mod presence;
mod publisher;
mod quotas;
mod reaper;
mod receipts;
mod requests;
mod revocations;
mod rooms;
mod script;
mod seen;
mod sentinel;
mod shard;
mod stats;
mod subscriber;
#[cfg(test)]
mod test_redis;

use std::sync::Arc;

use tokio::sync::{Mutex, Semaphore, mpsc, oneshot, watch};

use crate::domain::event::{Event, SharedEntry};
use crate::domain::id::{ClientMessageId, ConnId, MessageId, NodeLife, RoomId, UserId};
use crate::domain::position::Position;
use crate::domain::presence::Presence;
use crate::domain::refusal::{Outcome, Refusal};
use crate::domain::revoked::Revocation;
use crate::domain::role::Participant;
use crate::domain::signal::Signal;
use crate::domain::time::Timestamp;
use crate::domain::topic::Topic;
use crate::domain::trace::TraceParent;
use crate::lifecycle::Lifecycle;
use crate::store::beat::{Reported, TableRow};
use crate::store::config::Config;
pub use crate::store::feed::{FeedPage, FeedPlace};
pub use crate::store::members::{Belonging, Members, ROOM_MEMBERS_MAX};
pub use crate::store::news::{Concerned, Turn};
use crate::store::publisher::Job;
pub use crate::store::receipts::Unread;
pub use crate::store::requests::Begun;
pub use crate::store::rooms::{Access, Known};
pub use crate::store::seen::Seen;
use crate::store::shard::Shard;

/// Cheap handle to Redis.
#[derive(Debug, Clone)]
pub struct Store {
    shard: Arc<Shard>,
    jobs: mpsc::Sender<Job>,
    jobs_room: Arc<Semaphore>,
    health: watch::Receiver<Health>,
    reported: Arc<watch::Sender<Reported>>,
    table: watch::Receiver<Vec<TableRow>>,
    retire: Arc<Mutex<Option<oneshot::Sender<oneshot::Sender<()>>>>>,
}

/// Redis did not do it: ours, never the client's fault.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    /// Whether it may have been done all the same.
    pub outcome: Outcome,
    /// What Redis or the client library said; for logs only.
    pub message: String,
}

impl StoreError {
    /// Nothing was done.
    pub(crate) fn refused(message: String) -> Self {
        Self { outcome: Outcome::Refused, message }
    }
}

/// Why an append came to nothing.
#[derive(Debug, Clone)]
pub enum AppendError {
    /// The client is told: closed, barred, full, busy.
    Refused(Refusal),
    /// The message that it is about is not there.
    Missing,
    /// Redis did not do it.
    Failed(StoreError),
}

/// An event to be sequenced.
#[derive(Debug, Clone)]
pub struct Append {
    /// Whose log.
    pub room: RoomId,
    /// For deduplication and bars; `None`: the application.
    pub sender: Option<UserId>,
    /// The sender's own name for it.
    pub client_message_id: Option<ClientMessageId>,
    /// The connection that asked and its dialect's request id.
    pub origin: Option<(ConnId, Option<String>)>,
    /// The trace of what was asked, if it is kept.
    pub trace: Option<TraceParent>,
    /// What happened.
    pub event: Event,
    /// What it takes away; `None`: nothing.
    pub redacts: Option<Redaction>,
}

/// A message whose text goes.
#[derive(Debug, Clone)]
pub struct Redaction {
    /// Which.
    pub message: MessageId,
    /// What is left in its place.
    pub left: Event,
}

impl Append {
    /// An event of the application's.
    #[must_use]
    pub fn of_application(room: &RoomId, event: Event) -> Self {
        Self {
            room: room.clone(),
            sender: None,
            client_message_id: None,
            origin: None,
            trace: None,
            event,
            redacts: None,
        }
    }
}

/// Where an event is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Its place: of this attempt, or of the earlier one with the same `clientMessageId`.
    pub position: Position,
    /// Its number among the room's messages.
    pub nth: u64,
    /// When Redis stored it.
    pub at: Timestamp,
    /// Whether an earlier attempt had stored it.
    pub duplicate: bool,
}

/// The newest place of a topic; a user's topic and an empty room have seq 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Place of the newest entry.
    pub position: Position,
    /// Number of messages up to it.
    pub nth: u64,
}

/// Rises with each change of a node's interest in a topic; Redis ignores a lower one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(pub u64);

/// What a node learns when it begins to hear a topic.
#[derive(Debug, Clone)]
pub struct Joined {
    /// The newest place.
    pub head: Head,
    /// The newest entries, oldest first: at most [`PAGE_ENTRIES_MAX`] and about 256 KiB.
    pub newest: Vec<SharedEntry>,
    /// Who is in the room now, on any node; at most 200. Empty for a user's topic.
    pub roster: Vec<Participant>,
}

/// Entries in one page of history at most.
pub const PAGE_ENTRIES_MAX: usize = 64;

/// What follows a place of a room's log.
#[derive(Debug, Clone)]
pub enum Page {
    /// The entries that follow, oldest first; at most [`PAGE_ENTRIES_MAX`] and about 256 KiB.
    /// Empty: nothing follows yet.
    After(Vec<SharedEntry>),
    /// The log does not lead on from there: it was trimmed, or the place was lost.
    Reset {
        /// The newest place.
        head: Head,
        /// The newest page, oldest first.
        newest: Vec<SharedEntry>,
    },
}

/// Which of a room's messages a page is counted among, from the newest of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// All.
    All,
    /// Those before the one with this number.
    Before(u64),
    /// Those up to and with this place.
    UpTo(Position),
}

/// What arrives for a keeper, in the order in which Redis published it.
#[derive(Debug, Clone)]
pub enum Arrival {
    /// A room's entry.
    Entry(SharedEntry),
    /// A signal of a topic.
    Signal(Topic, Signal),
    /// A user came, went, or is seen as something else; told to every keeper.
    Presence(Presence),
}

/// Which receipt a mark is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mark {
    /// Handed to a live connection of somebody other than the author: one mark a room.
    Delivered,
    /// Read: one mark a room and user.
    Read,
}

/// A mark moved over the messages after `from` up to and with `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crossed {
    /// Where the mark stood.
    pub from: Position,
    /// Where it stands now.
    pub to: Position,
}

/// What of Redis the probes tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// No own beat heard yet.
    Starting,
    /// Beats come back.
    Ready,
    /// Beats do not come back: Redis is away, or this node is deaf.
    Degraded,
}

/// Ends of the channels through which the store tells the hub what happened.
#[derive(Debug, Clone)]
pub struct Arrivals {
    /// One mailbox a keeper; topic `t` belongs to keeper `t.hash64() % keepers.len()`.
    pub keepers: Arc<[mpsc::Sender<Vec<Arrival>>]>,
    /// Raised whenever something may have been missed: every keeper compares its topics' heads.
    pub resync: watch::Sender<u64>,
    /// What was taken back. One that does not fit raises [`Self::resync`].
    pub revoked: mpsc::Sender<Revocation>,
}

/// The cluster's figures, summed over living nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClusterFigures {
    /// Living nodes.
    pub nodes: u64,
    /// Open connections.
    pub connections: u64,
    /// Rooms that a connection has joined.
    pub rooms: u64,
}

impl Store {
    /// This node's present life; a change means: register everything again.
    #[must_use]
    pub fn life(&self) -> watch::Receiver<NodeLife> {
        self.shard.life.clone()
    }

    /// Whether beats come back.
    #[must_use]
    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }

    /// Tells the cluster this node's figures with the next beat.
    pub fn report(&self, connections: u64, rooms: u64) {
        self.reported.send_replace(Reported { connections, rooms });
    }

    /// The cluster's figures, as the last beat answered them.
    #[must_use]
    pub fn figures(&self) -> ClusterFigures {
        beat::figures(&self.table.borrow())
    }

    /// After the last connection closed: the lease ends in five seconds, no beat follows, and the
    /// store's tasks end.
    pub async fn retire(&self) {
        let Some(beat) = self.retire.lock().await.take() else { return };
        let (done, is_done) = oneshot::channel();
        if beat.send(done).is_ok() {
            // An error: the beat was stopped hard, and so is everything else.
            drop(is_done.await);
        }
    }
}

/// Connects. Resolves when the first own beat was heard, and fails only for what waiting cannot
/// cure: an address that cannot be used, refused credentials, an evicting memory policy, a missing
/// permission, an old release, another format version; or when the node is stopped meanwhile.
///
/// # Errors
/// Each says its cure.
pub async fn connect(
    config: &Config,
    arrivals: Arrivals,
    lifecycle: Lifecycle,
) -> Result<Store, StoreError> {
    connect::connect(config, arrivals, lifecycle).await
}
