//! How each protocol spells what the clients of a run do and hear.

mod conversation;

use std::borrow::Cow;

/// A protocol that clients can speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Dialect {
    /// Conversations with receipts, typing, presence and statuses.
    Conversation,
}

/// What the server offers beyond the bare protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offer {
    /// Acknowledgements with a place in the room's order, resuming after a place, idempotent sends.
    Full,
    /// Events alone, as any server of the protocol speaks them.
    Bare,
}

/// How a client that lost its connection gets what it missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Resume {
    /// It joins its rooms again and says after which message it wants to go on
    Since,
    /// It knows nothing of that: the server recovers the connection, as the official client has it
    Recovery,
}

/// A place in a room's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) epoch: u64,
    pub(crate) seq: u64,
}

/// From where a client wants to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Since {
    Position(Position),
    /// After the message with this public id.
    Message(String),
}

/// What a client says.
#[derive(Debug)]
pub(crate) enum Speech<'a> {
    Join { room: &'a str, since: Option<&'a Since> },
    Leave { room: &'a str },
    Send { room: &'a str, text: &'a str, client_id: &'a str },
    TypingStart { room: &'a str },
    TypingStop { room: &'a str },
    Status { status: &'a str },
}

/// What a client is told.
#[derive(Debug)]
pub(crate) enum Heard<'a> {
    Message {
        room: Cow<'a, str>,
        id: Cow<'a, str>,
        text: Cow<'a, str>,
    },
    Typing,
    Online {
        user: Cow<'a, str>,
    },
    Offline {
        user: Cow<'a, str>,
    },
    /// What came before this place cannot be had.
    Reset {
        room: Cow<'a, str>,
        position: Position,
    },
    Error {
        code: Cow<'a, str>,
    },
    /// Anything that no rule is about.
    Other,
}

/// What an acknowledgement says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Joined { position: Position, resumed: bool, missed: u64 },
    Sent { id: String, seq: u64 },
    Done,
    Refused(No),
}

/// A refusal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct No {
    pub(crate) code: String,
    /// The server does not know whether it was done.
    pub(crate) is_unknown: bool,
    pub(crate) retry_after_ms: Option<u64>,
}

impl Dialect {
    /// The event's name and its argument as JSON.
    pub(crate) fn spell(self, speech: &Speech<'_>, offer: Offer) -> (&'static str, String) {
        match self {
            Self::Conversation => conversation::spell(speech, offer),
        }
    }

    /// Reads an event.
    pub(crate) fn hear<'a>(
        self,
        name: &str,
        arguments: crate::wire::packet::Arguments<'a>,
    ) -> Heard<'a> {
        match self {
            Self::Conversation => conversation::hear(name, arguments),
        }
    }

    /// Reads an acknowledgement; `None`: of no known shape.
    pub(crate) fn answer(self, arguments: crate::wire::packet::Arguments<'_>) -> Option<Answer> {
        match self {
            Self::Conversation => conversation::answer(arguments),
        }
    }
}
