//! What the ledger can find, by class.

use std::collections::BTreeMap;

use serde::Serialize;

/// A rule that was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Class {
    /// Heard or stored, and never sent like this.
    Invented,
    /// Heard or stored in another room than it was sent to.
    WrongRoom,
    /// Two answers about one place, one message or one id.
    Diverged,
    /// One message at two places of a log.
    DupLog,
    /// One message told twice to one client.
    DupDelivery,
    /// A listener was not told something though later things were.
    Skip,
    /// A listener was told something after what follows it.
    Reorder,
    /// A room's epoch went back.
    EpochJump,
    /// Acknowledged, and not in the log.
    LostAck,
    /// A listener who was there to the end was not told the last messages.
    Undelivered,
    /// Every attempt was refused, and yet it was stored or told.
    AbortedRead,
    /// One sender's messages stand in another order than they were sent.
    SenderFifo,
    /// Sent after another was acknowledged, and stands before it.
    Realtime,
    /// Told to a client that was not in the room.
    NonMember,
    /// Somebody was still told as online long after leaving.
    PhantomOnline,
    /// Somebody was not told as online long after coming.
    MissingOnline,
    /// A room's log could not be read, so the run proves nothing.
    Unread,
}

impl Class {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Invented => "INVENTED",
            Self::WrongRoom => "WRONG_ROOM",
            Self::Diverged => "DIVERGED",
            Self::DupLog => "DUP_LOG",
            Self::DupDelivery => "DUP_DELIVERY",
            Self::Skip => "SKIP",
            Self::Reorder => "REORDER",
            Self::EpochJump => "EPOCH_JUMP",
            Self::LostAck => "LOST_ACK",
            Self::Undelivered => "UNDELIVERED",
            Self::AbortedRead => "ABORTED_READ",
            Self::SenderFifo => "SENDER_FIFO",
            Self::Realtime => "REALTIME",
            Self::NonMember => "NON_MEMBER",
            Self::PhantomOnline => "PHANTOM_ONLINE",
            Self::MissingOnline => "MISSING_ONLINE",
            Self::Unread => "UNREAD",
        }
    }
}

/// How many findings of a class are told in words.
const EXAMPLES_MAX: usize = 5;

/// What was found.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Findings {
    pub(crate) broken: BTreeMap<Class, Broken>,
}

/// How often a rule was broken, with the first cases in words.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Broken {
    pub(crate) count: u64,
    pub(crate) examples: Vec<String>,
}

impl Findings {
    pub(crate) fn add(&mut self, class: Class, example: impl FnOnce() -> String) {
        let broken = self.broken.entry(class).or_default();
        broken.count += 1;
        if broken.examples.len() < EXAMPLES_MAX {
            broken.examples.push(example());
        }
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.broken.is_empty()
    }
}
