//! What a client asks.

use std::fmt;

use crate::domain::attachment::Upload;
use crate::domain::id::{ClientMessageId, MessageId, RoomId, UserId};
use crate::domain::position::Position;
use crate::domain::presence::Status;
use crate::domain::room::Visibility;

/// From where a joining client wants to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// After this message, the last that the client has seen.
    Message(MessageId),
    /// After this place, as an earlier join answered it.
    Position(Position),
}

/// A request that passed its dialect's checks: every value is already right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Hear a room, and be seen in it.
    Join {
        /// Which.
        room: RoomId,
        /// Where to go on; `None`: from now.
        since: Option<Since>,
    },
    /// Make a room.
    CreateRoom {
        /// What it is called.
        name: String,
        /// What it is about; may be empty.
        description: String,
        /// Who may come in.
        visibility: Visibility,
    },
    /// Stop hearing a room.
    Leave {
        /// Which.
        room: RoomId,
    },
    /// Write a message.
    Send(Draft),
    /// Let nobody write into a room any more.
    Close {
        /// Which.
        room: RoomId,
        /// Why, in the closer's words.
        reason: Option<String>,
    },
    /// Read a page of a room's messages, counted from the newest.
    History {
        /// Which.
        room: RoomId,
        /// How many at most.
        limit: u32,
        /// How many of the newest to pass over.
        offset: u64,
        /// Only those before this message.
        before: Option<MessageId>,
    },
    /// Ask who is in a room.
    Users {
        /// Which.
        room: RoomId,
    },
    /// Say that everything up to a message was read.
    MarkRead {
        /// The newest message that was read.
        message: MessageId,
    },
    /// Say that the user types, or has stopped.
    Type {
        /// Where.
        room: RoomId,
        /// `false`: stopped.
        active: bool,
    },
    /// Be seen as online, and be listed among those who are.
    Appear,
    /// Be seen as offline, and be listed no more.
    Vanish,
    /// Say that the user is still there.
    Renew,
    /// Ask for the cluster's figures.
    Stats,
    /// Ask who is online.
    ListUsers,
    /// End every connection of a user.
    Disconnect {
        /// Whose.
        user: UserId,
    },
    /// Be seen as.
    SetStatus {
        /// The wanted status.
        status: Status,
    },
    /// Show a (new) token.
    Authenticate {
        /// The token as it came.
        token: Token,
    },
}

impl Command {
    /// The room that it names.
    #[must_use]
    pub fn room(&self) -> Option<&RoomId> {
        match self {
            Self::Join { room, .. }
            | Self::Leave { room }
            | Self::Send(Draft { room, .. })
            | Self::Close { room, .. }
            | Self::History { room, .. }
            | Self::Users { room }
            | Self::Type { room, .. } => Some(room),
            Self::MarkRead { .. }
            | Self::Appear
            | Self::Vanish
            | Self::Renew
            | Self::Stats
            | Self::ListUsers
            | Self::CreateRoom { .. }
            | Self::Disconnect { .. }
            | Self::SetStatus { .. }
            | Self::Authenticate { .. } => None,
        }
    }
}

/// A bearer token that nobody has checked yet. It cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Takes any text: whether it is a token is for its verification to say.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for verification only.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A message that is not stored yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Where it shall go.
    pub room: RoomId,
    /// What it says.
    pub text: String,
    /// `text` unless the client said something else.
    pub kind: String,
    /// The client's own name for it: with one, a retry is safe.
    pub client_message_id: Option<ClientMessageId>,
    /// Its files, as they came.
    pub uploads: Vec<Upload>,
}
