//! What a room's log keeps.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::id::{ConnId, MessageId, NodeLife, RoomId};
use crate::domain::message::Message;
use crate::domain::position::Position;
use crate::domain::role::Participant;
use crate::domain::time::Timestamp;

/// A fact about a room. It has a place in the log, so whoever missed it is told later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// Somebody wrote something.
    MessagePosted(Message),
    /// The room's metadata changed: a JSON object in text form, as the application gave it.
    RoomUpdated {
        /// The room's whole metadata after the change.
        metadata: String,
    },
    /// Nobody can send any more; reading stays possible.
    RoomClosed {
        /// Who closed it; `None`: the application.
        by: Option<Participant>,
        /// Why, in the closer's words.
        reason: Option<String>,
    },
    /// The room is gone; whoever is in it is put out.
    RoomDeleted,
}

impl Event {
    fn bytes(&self) -> usize {
        match self {
            Self::MessagePosted(message) => {
                let files = message.attachments.iter().map(|it| ATTACHMENT_BYTES + it.name.len());
                message.text.len() + files.sum::<usize>()
            }
            Self::RoomUpdated { metadata } => metadata.len(),
            Self::RoomClosed { reason, .. } => reason.as_ref().map_or(0, String::len),
            Self::RoomDeleted => 0,
        }
    }

    /// Whether the event is a message and so counts for `nth`, totals and unread counts.
    #[must_use]
    pub fn is_message(&self) -> bool {
        match self {
            Self::MessagePosted(_) => true,
            Self::RoomUpdated { .. } | Self::RoomClosed { .. } | Self::RoomDeleted => false,
        }
    }
}

/// Bytes of an entry beside its event's texts: ids, names and numbers.
const ENTRY_BYTES: usize = 128;

/// Bytes of a file in its message beside its name: the most of it is the link.
const ATTACHMENT_BYTES: usize = 384;

/// Where an event came from: `others` excludes the origin's connection, also after a repair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The node's life that took the command.
    pub node: NodeLife,
    /// The connection that sent it.
    pub conn: ConnId,
    /// The dialect's own request id, echoed in some dialects.
    pub request: Option<String>,
}

/// An event with its place in a room's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Whose log.
    pub room: RoomId,
    /// Its place.
    pub position: Position,
    /// Number of messages in the room up to and with this entry.
    pub nth: u64,
    /// When Redis stored it.
    pub at: Timestamp,
    /// Which connection caused it; `None`: the application.
    pub origin: Option<Origin>,
    /// What happened.
    pub event: Event,
}

impl Entry {
    /// About how many bytes it takes, wherever it is kept or sent; never 0.
    #[must_use]
    pub fn bytes(&self) -> usize {
        ENTRY_BYTES + self.event.bytes()
    }

    /// The public id of the message, or of any other event.
    #[must_use]
    pub fn id(&self) -> MessageId {
        MessageId::new(&self.room, self.position)
    }
}

/// An entry shared by everyone who is handed it.
pub type SharedEntry = Arc<Entry>;
