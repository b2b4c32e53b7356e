//! The answer no: what the client did not get, and whether asking again is safe.

use std::borrow::Cow;
use std::time::Duration;

/// Whether a refused attempt may have been stored all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// This attempt stored nothing.
    Refused,
    /// It may have been stored: retry with the same `clientMessageId`.
    Unknown,
}

impl Outcome {
    /// The outcome as acknowledgements write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}

/// The codes of all refusals, as [`Refusal::code`] gives them.
pub const CODES: [&str; 12] = [
    "AUTH_REQUIRED",
    "ACCESS_DENIED",
    "ROOM_NOT_FOUND",
    "NOT_A_MEMBER",
    "ROOM_INACTIVE",
    "INVALID_DATA",
    "USER_NOT_FOUND",
    "RATE_LIMIT_EXCEEDED",
    "UNKNOWN_EVENT",
    "STORAGE_FULL",
    "BUSY",
    "SERVER_ERROR",
];

/// Why a command was not carried out. Codes are the core's; a dialect may spell them otherwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No token, or one that does not verify. One text for all causes.
    #[error("Authentication required")]
    AuthRequired,
    /// The actor may not do this.
    #[error("Access denied")]
    AccessDenied,
    /// No such room.
    #[error("Room not found")]
    RoomNotFound,
    /// The connection has not joined the room.
    #[error("Join the room first")]
    NotAMember,
    /// The room takes no more messages.
    #[error("The room is closed")]
    RoomClosed,
    /// The arguments are malformed, too long or too deep; the text says which.
    #[error("{0}")]
    Invalid(Cow<'static, str>),
    /// No such user, or one without a connection.
    #[error("User not found")]
    UserNotFound,
    /// Too often.
    #[error("Too many requests")]
    RateLimited {
        /// How long to wait.
        retry_after: Duration,
    },
    /// No dialect of this connection knows the event.
    #[error("Unknown event")]
    UnknownEvent,
    /// Redis has no memory left; nothing was stored.
    #[error("Storage is full")]
    StorageFull,
    /// A queue of this node is full; nothing was stored.
    #[error("The server is busy")]
    Busy {
        /// How long to wait.
        retry_after: Duration,
    },
    /// Ours, not the client's: Redis is away or something broke.
    #[error("Server error")]
    Unavailable(Outcome),
}

impl Refusal {
    /// A refusal of arguments, with its reason.
    #[must_use]
    pub fn invalid(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(reason.into())
    }

    /// The core's code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::AuthRequired => "AUTH_REQUIRED",
            Self::AccessDenied => "ACCESS_DENIED",
            Self::RoomNotFound => "ROOM_NOT_FOUND",
            Self::NotAMember => "NOT_A_MEMBER",
            Self::RoomClosed => "ROOM_INACTIVE",
            Self::Invalid(_) => "INVALID_DATA",
            Self::UserNotFound => "USER_NOT_FOUND",
            Self::RateLimited { .. } => "RATE_LIMIT_EXCEEDED",
            Self::UnknownEvent => "UNKNOWN_EVENT",
            Self::StorageFull => "STORAGE_FULL",
            Self::Busy { .. } => "BUSY",
            Self::Unavailable(_) => "SERVER_ERROR",
        }
    }

    /// Whether something may have been stored.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Unavailable(outcome) => *outcome,
            Self::AuthRequired
            | Self::AccessDenied
            | Self::RoomNotFound
            | Self::NotAMember
            | Self::RoomClosed
            | Self::Invalid(_)
            | Self::UserNotFound
            | Self::RateLimited { .. }
            | Self::UnknownEvent
            | Self::StorageFull
            | Self::Busy { .. } => Outcome::Refused,
        }
    }

    /// How long the client should wait, where waiting helps.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } | Self::Busy { retry_after } => Some(*retry_after),
            Self::AuthRequired
            | Self::AccessDenied
            | Self::RoomNotFound
            | Self::NotAMember
            | Self::RoomClosed
            | Self::Invalid(_)
            | Self::UserNotFound
            | Self::UnknownEvent
            | Self::StorageFull
            | Self::Unavailable(_) => None,
        }
    }
}
