//! Every key and channel name that Parlance uses in Redis; `docs/redis.md` describes each.
//!
//! A room's and a user's keys carry the hash tag of one of [`PARTITIONS`] partitions on every kind
//! of Redis, so moving to a cluster renames nothing. On a single Redis all partitions are one
//! shard, whose keys carry the tag of partition 0.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use crate::domain::id::{NodeLife, RoomId, UserId};
use crate::domain::recovery::Pid;
use crate::domain::topic::Topic;

/// Number of partitions; stored with the prefix and compared at each start.
pub(crate) const PARTITIONS: u64 = TAGS.len() as u64;

/// Buckets of users' presence in all; each lies within one partition.
pub(crate) const USER_BUCKETS: u64 = 4096;

/// Hash tag of each partition. Tag `i` lies in the middle of the `i`-th sixteenth of a cluster's
/// 16,384 slots, so primaries with equal ranges of slots get equal numbers of partitions.
const TAGS: [&str; 16] = [
    "18", "21", "0f", "2h", "19", "20", "0g", "2i", "6n", "23", "0d", "2j", "6o", "22", "0e", "2k",
];

/// A sixteenth of all rooms and users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Partition(u8);

impl Partition {
    /// All partitions, in order.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..PARTITIONS).map(Self::nth)
    }

    /// Where a room's keys are.
    pub(crate) fn of_room(room: &RoomId) -> Self {
        Self::nth(xxh3_64(room.as_str().as_bytes()))
    }

    /// Where a user's keys are.
    pub(crate) fn of_user(user: &UserId) -> Self {
        Self::nth(xxh3_64(user.as_str().as_bytes()))
    }

    fn nth(number: u64) -> Self {
        Self(u8::try_from(number % PARTITIONS).unwrap_or_default()) // fits: below 16
    }
}

impl fmt::Display for Partition {
    /// The hash tag in its braces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", TAGS[usize::from(self.0)])
    }
}

/// Names keys under one prefix.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    prefix: Arc<str>,
}

/// The halves of a room's memory of recent `clientMessageId`s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Half {
    /// Even periods.
    Even,
    /// Odd periods.
    Odd,
}

impl Keys {
    pub(crate) fn new(prefix: &str) -> Self {
        Self { prefix: Arc::from(prefix) }
    }

    /// HASH: replication id, generation, time of the last beat. One a shard.
    pub(crate) fn generation(&self) -> String {
        self.of_shard("gen")
    }

    /// HASH: life → deadline, state, figures. One a shard.
    pub(crate) fn live(&self) -> String {
        self.of_shard("live")
    }

    /// HASH: node index → number of frames published to its inbox. One a shard.
    pub(crate) fn inbox_counters(&self) -> String {
        self.of_shard("ic")
    }

    /// Channels of all inboxes begin so; the node's index follows.
    pub(crate) fn inbox_prefix(&self) -> String {
        self.of_shard("in:")
    }

    /// A node's inbox, a channel.
    pub(crate) fn inbox(&self, index: u32) -> String {
        format!("{}{index}", self.inbox_prefix())
    }

    /// HASH: epoch, seq, nth, generation, interested nodes, and the room's record.
    pub(crate) fn meta(&self, room: &RoomId) -> String {
        self.of_room(room, "m")
    }

    /// STREAM: the room's records, id `<seq>-0`.
    pub(crate) fn log(&self, room: &RoomId) -> String {
        self.of_room(room, "s")
    }

    /// HASH: half of the recent dedupe marks.
    pub(crate) fn recent(&self, room: &RoomId, half: Half) -> String {
        match half {
            Half::Even => self.of_room(room, "i0"),
            Half::Odd => self.of_room(room, "i1"),
        }
    }

    /// HASH: user → read mark.
    pub(crate) fn marks(&self, room: &RoomId) -> String {
        self.of_room(room, "w")
    }

    /// HASH: user → `<number of nodes where present>:<participant>`.
    pub(crate) fn roster(&self, room: &RoomId) -> String {
        self.of_room(room, "o")
    }

    /// HASH: user → until when the user is muted and banned in the room.
    pub(crate) fn bars(&self, room: &RoomId) -> String {
        self.of_room(room, "bar")
    }

    /// HASH: user → until when the user is muted and banned everywhere. One a shard.
    pub(crate) fn bars_everywhere(&self) -> String {
        self.of_shard("bars")
    }

    /// STREAM: where entries were stored, in order. One a shard.
    pub(crate) fn feed(&self) -> String {
        self.of_shard("feed")
    }

    /// HASH: seq → the record that takes a redacted one's place; `e<seq>` → its newest edit.
    pub(crate) fn redacted(&self, room: &RoomId) -> String {
        self.of_room(room, "x")
    }

    /// STRING: what came of a request to the server API, by a hash of its idempotency key.
    pub(crate) fn request(&self, hash: u128) -> String {
        let partition = Partition::nth((hash >> 64) as u64);
        format!("{}:{partition}:req:{hash:032x}", self.prefix)
    }

    /// LIST: what nodes answered to a question.
    pub(crate) fn answers(&self, question: Uuid) -> String {
        let partition = Partition::nth(question.as_u64_pair().0);
        format!("{}:{partition}:ask:{question}", self.prefix)
    }

    /// HASH: user → what the user is to the room.
    pub(crate) fn members(&self, room: &RoomId) -> String {
        self.of_room(room, "members")
    }

    /// ZSET: rooms of a partition that were made, in the order of their ids.
    pub(crate) fn rooms(&self, partition: Partition) -> String {
        format!("{}:{partition}:rooms", self.prefix)
    }

    /// SET: rooms of a partition that are open and have a user in them.
    pub(crate) fn active_rooms(&self, partition: Partition) -> String {
        format!("{}:{partition}:active", self.prefix)
    }

    /// STRING: how many users of a partition are not seen as offline.
    pub(crate) fn online_count(&self, partition: Partition) -> String {
        format!("{}:{partition}:online", self.prefix)
    }

    /// ZSET: who is listed as online, by when they were seen last. Only the lobby's partition has
    /// one.
    pub(crate) fn listed(&self, partition: Partition) -> String {
        format!("{}:{partition}:listed", self.prefix)
    }

    /// STRING: there while a room's news was told within the last second.
    pub(crate) fn news(&self, room: &RoomId) -> String {
        self.of_room(room, "news")
    }

    /// SET: what a life has entered in a partition, to reap.
    pub(crate) fn life_rooms(&self, partition: Partition, life: NodeLife) -> String {
        format!("{}:{partition}:nr:{life}", self.prefix)
    }

    /// SET: users of a partition that a life has connections of, to reap.
    pub(crate) fn life_users(&self, partition: Partition, life: NodeLife) -> String {
        format!("{}:{partition}:nu:{life}", self.prefix)
    }

    /// HASH: user → number of nodes, version, status, last seen.
    pub(crate) fn user_bucket(&self, user: &UserId) -> String {
        // The number of buckets is a multiple of the number of partitions: a bucket has one tag.
        self.bucket(xxh3_64(user.as_str().as_bytes()) % USER_BUCKETS)
    }

    /// One of the [`USER_BUCKETS`].
    pub(crate) fn bucket(&self, number: u64) -> String {
        format!("{}:{}:ub:{number}", self.prefix, Partition::nth(number))
    }

    /// STRING: nodes that hear a user's topic.
    pub(crate) fn user_interest(&self, user: &UserId) -> String {
        format!("{}:{}:u:{user}:n", self.prefix, Partition::of_user(user))
    }

    /// LIST: times of the last uses of a user's limit.
    pub(crate) fn limit(&self, user: &UserId, what: &str) -> String {
        format!("{}:{}:rl:{user}:{what}", self.prefix, Partition::of_user(user))
    }

    /// HASH: what a connection leaves behind.
    pub(crate) fn recovery(&self, pid: Pid) -> String {
        let pid = pid.expose();
        let partition = Partition::nth(xxh3_64(pid.as_bytes()));
        format!("{}:{partition}:rec:{pid}", self.prefix)
    }

    /// STREAM: audit records. One a shard.
    pub(crate) fn audit(&self) -> String {
        self.of_shard("audit")
    }

    /// ZSET: revoked token or user → when. One a shard.
    pub(crate) fn revoked(&self) -> String {
        self.of_shard("rv")
    }

    /// HASH: node name → index and the time of its allocation.
    pub(crate) fn nodes(&self) -> String {
        format!("{}:{{ctl}}:nodes", self.prefix)
    }

    /// HASH: number of partitions, format version, newest incarnation.
    pub(crate) fn control(&self) -> String {
        format!("{}:{{ctl}}:meta", self.prefix)
    }

    /// The key that holds a topic's interested nodes.
    pub(crate) fn interest(&self, topic: &Topic) -> String {
        match topic {
            Topic::Room(room) => self.meta(room),
            Topic::User(user) => self.user_interest(user),
        }
    }

    fn of_shard(&self, what: &str) -> String {
        format!("{}:{}:{what}", self.prefix, Partition(0))
    }

    fn of_room(&self, room: &RoomId, what: &str) -> String {
        format!("{}:{}:r:{room}:{what}", self.prefix, Partition::of_room(room))
    }
}

#[cfg(test)]
mod tests;
