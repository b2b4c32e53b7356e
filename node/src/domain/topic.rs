//! What a connection can hear.

use std::fmt;

use xxhash_rust::xxh3::xxh3_64;

use crate::domain::id::{RoomId, UserId};

/// Something that connections attach to. A room has a log; a user's topic carries signals only.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// A room's entries and signals.
    Room(RoomId),
    /// Signals for all devices of one user: receipts, notifications.
    User(UserId),
}

impl Topic {
    /// A hash that is the same on every node and in every release.
    #[must_use]
    pub fn hash64(&self) -> u64 {
        xxh3_64(self.name().as_bytes())
    }

    /// The room's or user's id; a room and a user may share it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Room(room) => room.as_str(),
            Self::User(user) => user.as_str(),
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Room(room) => write!(f, "room {room}"),
            Self::User(user) => write!(f, "user {user}"),
        }
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
