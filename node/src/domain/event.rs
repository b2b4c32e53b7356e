//! What a room's log keeps.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::id::{ConnId, MessageId, NodeLife, RoomId, UserId};
use crate::domain::message::Message;
use crate::domain::position::Position;
use crate::domain::role::Participant;
use crate::domain::time::Timestamp;
use crate::domain::trace::TraceParent;

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
    /// Messages are taken again.
    RoomReopened,
    /// The room is gone; whoever is in it is put out.
    RoomDeleted,
    /// Somebody may have lost the right to be here: whoever is meant is asked again.
    AccessChanged {
        /// Who; `None`: everybody.
        user: Option<UserId>,
    },
    /// A message says something else now.
    MessageEdited {
        /// Which.
        message: MessageId,
        /// Its text now.
        text: String,
    },
    /// A message was taken away.
    MessageDeleted {
        /// Which.
        message: MessageId,
    },
    /// What is left at the place of a message, or of an earlier edit, that was taken away.
    Erased,
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
            Self::MessageEdited { text, .. } => text.len(),
            Self::RoomReopened
            | Self::RoomDeleted
            | Self::AccessChanged { .. }
            | Self::MessageDeleted { .. }
            | Self::Erased => 0,
        }
    }

    /// The message, if it is one.
    #[must_use]
    pub fn message(&self) -> Option<&Message> {
        match self {
            Self::MessagePosted(message) => Some(message),
            Self::RoomUpdated { .. }
            | Self::RoomClosed { .. }
            | Self::RoomReopened
            | Self::RoomDeleted
            | Self::AccessChanged { .. }
            | Self::MessageEdited { .. }
            | Self::MessageDeleted { .. }
            | Self::Erased => None,
        }
    }

    /// What is left of an event at `position` of `room` once a message was redacted by `by`;
    /// `None`: it stays as it is.
    #[must_use]
    pub fn redacted(&self, room: &RoomId, position: Position, by: &Self) -> Option<Self> {
        let (target, text) = match by {
            Self::MessageEdited { message, text } => (*message, Some(text)),
            Self::MessageDeleted { message } => (*message, None),
            Self::MessagePosted(_)
            | Self::RoomUpdated { .. }
            | Self::RoomClosed { .. }
            | Self::RoomReopened
            | Self::RoomDeleted
            | Self::AccessChanged { .. }
            | Self::Erased => return None,
        };
        if let Self::MessageEdited { message, .. } = self {
            return (*message == target).then_some(Self::Erased);
        }
        let message = self.message().filter(|_| target == MessageId::new(room, position))?;
        Some(text.map_or(Self::Erased, |text| {
            Self::MessagePosted(Message { text: text.clone(), ..message.clone() })
        }))
    }

    /// Whether the event is a message and so counts for `nth`, totals and unread counts.
    #[must_use]
    pub fn is_message(&self) -> bool {
        self.message().is_some()
    }
}

/// Bytes of an entry beside its event's texts: ids, names and numbers.
const ENTRY_BYTES: usize = 128;

/// Bytes of a file in its message beside its name: the most of it is the link.
const ATTACHMENT_BYTES: usize = 384;

/// Where an event came from: `others` excludes the origin's connection, also after a repair, and
/// whatever connection has taken that one up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The node's life that took the command.
    pub node: NodeLife,
    /// The connection that sent it, or the first of those that it took up.
    pub conn: ConnId,
    /// The dialect's own request id, echoed in some dialects.
    pub request: Option<String>,
    /// The trace that the entry belongs to; `None`: it is not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceParent>,
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
