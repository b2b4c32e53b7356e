//! News that reaches a connection in several ways, and is told once.

use xxhash_rust::xxh3::xxh3_64;

use crate::domain::id::{RoomId, UserId};
use crate::domain::time::Timestamp;
use crate::hub::outbox::Outgoing;

/// Marks news that reaches a connection in several ways and is told once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Once {
    /// Hash of whom, or what, it is about.
    pub user: u64,
    /// Version, as of the user's presence: a higher one is newer news.
    pub version: u64,
}

impl Once {
    /// News about a user's presence of this version.
    #[must_use]
    pub fn of(user: &UserId, version: u64) -> Self {
        Self { user: xxh3_64(user.as_str().as_bytes()), version }
    }

    /// The news that a room was closed at this time.
    #[must_use]
    pub fn closing(room: &RoomId, at: Timestamp) -> Self {
        Self { user: xxh3_64(format!("closing {room}").as_bytes()), version: at.0 }
    }

    /// The same news in this event alone.
    #[must_use]
    pub(crate) fn of_event(self, outgoing: &Outgoing) -> Self {
        let event = match outgoing {
            Outgoing::Event(frame) => xxh3_64(frame.event.as_bytes()),
            Outgoing::Ack { .. } => 0,
        };
        Self { user: self.user ^ event, ..self }
    }
}
