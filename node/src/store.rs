//! The only code that knows Redis: it sequences, stores and counts.
//!
//! The hub and the chat core call [`Store`]; what other nodes did arrives through the channels that
//! the hub gave to [`connect`]. Nothing is ever delivered before its echo came from Redis.

pub mod config;
pub mod embedded;

mod client;
mod keys;
mod metrics;
mod presence;
mod script;
mod shard;

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::domain::event::{Event, SharedEntry};
use crate::domain::id::{ClientMessageId, ConnId, NodeLife, RoomId, UserId};
use crate::domain::position::{Epoch, Position};
use crate::domain::presence::{Presence, Status};
use crate::domain::quota::Limit;
use crate::domain::refusal::{Outcome, Refusal};
use crate::domain::role::Participant;
use crate::domain::room::{RoomRecord, Visibility};
use crate::domain::signal::Signal;
use crate::domain::time::Timestamp;
use crate::domain::topic::Topic;
use crate::lifecycle::Lifecycle;

/// Cheap handle to Redis.
#[derive(Debug, Clone)]
pub struct Store {}

/// Redis did not do it: ours, never the client's fault.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    /// Whether it may have been done all the same.
    pub outcome: Outcome,
    /// What Redis or the client library said; for logs only.
    pub message: String,
}

/// Why an append came to nothing.
#[derive(Debug, Clone)]
pub enum AppendError {
    /// The client is told: closed, barred, full, busy.
    Refused(Refusal),
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
    /// What happened.
    pub event: Event,
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
    pub fn life(&self) -> watch::Receiver<NodeLife> {
        unimplemented!()
    }

    /// Whether beats come back.
    pub fn health(&self) -> watch::Receiver<Health> {
        unimplemented!()
    }

    /// Stores and publishes an event, once per `clientMessageId`. Answers within three seconds.
    ///
    /// # Errors
    /// Refused by the room's state, a bar or a full queue; or Redis did not do it.
    pub async fn append(&self, _append: Append) -> Result<Appended, AppendError> {
        unimplemented!()
    }

    /// Publishes a signal, at most once; dropped where the publisher's queue is half full.
    pub fn signal(&self, _topic: Topic, _signal: Signal) {
        unimplemented!()
    }

    /// Begins to hear a topic. `None`: no such room.
    pub async fn join(&self, _topic: &Topic, _stamp: Stamp) -> Result<Option<Joined>, StoreError> {
        unimplemented!()
    }

    /// Stops hearing topics; a topic whose stored stamp is higher stays.
    pub async fn leave(&self, _topics: &[(Topic, Stamp)]) -> Result<(), StoreError> {
        unimplemented!()
    }

    /// Says again that these topics (any number; 500 a call) are heard and answers their heads, in
    /// order; `None`: the room is gone.
    pub async fn reassert(
        &self,
        _topics: &[(Topic, Stamp)],
    ) -> Result<Vec<Option<Head>>, StoreError> {
        unimplemented!()
    }

    /// Heads of these topics (any number; 500 a call), in order; `None`: the room is gone.
    pub async fn resync(&self, _topics: &[Topic]) -> Result<Vec<Option<Head>>, StoreError> {
        unimplemented!()
    }

    /// What follows `after` in a room's log.
    pub async fn history(&self, _room: &RoomId, _after: Position) -> Result<Page, StoreError> {
        unimplemented!()
    }

    /// The newest entries up to and with `up_to`, oldest first; at most `count`, and at most 100.
    pub async fn newest(
        &self,
        _room: &RoomId,
        _up_to: Position,
        _count: usize,
    ) -> Result<Vec<SharedEntry>, StoreError> {
        unimplemented!()
    }

    /// The entry at exactly this place, if the log still has it.
    pub async fn entry(
        &self,
        _room: &RoomId,
        _at: Position,
    ) -> Result<Option<SharedEntry>, StoreError> {
        unimplemented!()
    }

    /// The room's record, if there is such a room.
    pub async fn room(&self, _room: &RoomId) -> Result<Option<RoomRecord>, StoreError> {
        unimplemented!()
    }

    /// Makes the room unless it exists.
    pub async fn create(&self, _room: &RoomId, _who: Visibility) -> Result<Epoch, StoreError> {
        unimplemented!()
    }

    /// Moves a mark forward; `None`: it stood there or further already.
    pub async fn mark(
        &self,
        _room: &RoomId,
        _user: &UserId,
        _mark: Mark,
        _to: Position,
    ) -> Result<Option<Crossed>, StoreError> {
        unimplemented!()
    }

    /// These users have a connection here (at most 500). Transitions arrive as presence.
    pub async fn up(&self, _users: &[UserId]) -> Result<(), StoreError> {
        unimplemented!()
    }

    /// These users have no connection here any more (at most 500).
    pub async fn down(&self, _users: &[UserId]) -> Result<(), StoreError> {
        unimplemented!()
    }

    /// These users are in these rooms on this node (at most 500).
    pub async fn enter(&self, _who: &[(RoomId, Participant)]) -> Result<(), StoreError> {
        unimplemented!()
    }

    /// These users are in these rooms no more on this node (at most 500).
    pub async fn exit(&self, _who: &[(RoomId, UserId)]) -> Result<(), StoreError> {
        unimplemented!()
    }

    /// Sets what a connected user is seen as.
    pub async fn set_status(&self, _user: &UserId, _status: Status) -> Result<(), StoreError> {
        unimplemented!()
    }

    /// What these users are seen as, in order.
    pub async fn presence(&self, _users: &[UserId]) -> Result<Vec<Presence>, StoreError> {
        unimplemented!()
    }

    /// Takes one use of a user's limit cluster-wide, by Redis' clock; `Some`: refused, and how long
    /// to wait.
    pub async fn limit(
        &self,
        _user: &UserId,
        _what: &'static str,
        _limit: Limit,
    ) -> Result<Option<std::time::Duration>, StoreError> {
        unimplemented!()
    }

    /// Tells the cluster this node's figures with the next beat.
    pub fn report(&self, _connections: u64, _rooms: u64) {
        unimplemented!()
    }

    /// The cluster's figures, as the last beat answered them.
    pub fn figures(&self) -> ClusterFigures {
        unimplemented!()
    }

    /// After the last connection closed: the lease ends in five seconds, and no beat follows.
    pub async fn retire(&self) {
        unimplemented!()
    }
}

/// Connects. Resolves when the first own beat was heard, and fails only for what waiting cannot
/// cure (an evicting memory policy, a missing permission, another format version).
pub async fn connect(_arrivals: Arrivals, _lifecycle: Lifecycle) -> Result<Store, StoreError> {
    unimplemented!()
}
