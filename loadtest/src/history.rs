//! What each client did and heard, in order: the evidence that the ledger judges.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::dialect::Position;

/// The run's number of a message.
pub(crate) type Mid = u32;
/// The run's number of a room.
pub(crate) type RoomIndex = u32;
/// The run's number of a user.
pub(crate) type UserIndex = u32;

/// One thing that happened at a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// Microseconds of the run, by the one monotonic clock of all clients.
    pub(crate) at_us: u64,
    pub(crate) what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// Connected anew: in no room yet.
    Up,
    /// Connected, and back in everything that the connection before had: unasked.
    Recovered,
    Down,
    Joined(Box<Joined>),
    Left {
        room: RoomIndex,
    },
    /// The server said that what came before this place cannot be had.
    Reset(Box<Joined>),
    /// One attempt, noted before it was written.
    Tried {
        mid: Mid,
        room: RoomIndex,
    },
    Acked {
        mid: Mid,
        seq: u32,
        id: u32,
    },
    /// This attempt stored nothing.
    Refused {
        mid: Mid,
    },
    /// What came of this attempt is not known.
    Unknown {
        mid: Mid,
    },
    Heard {
        mid: Mid,
        room: RoomIndex,
        id: u32,
    },
    /// A message that no client of the run wrote like this.
    Foreign {
        room: RoomIndex,
    },
    Online {
        user: UserIndex,
    },
    Offline {
        user: UserIndex,
    },
}

/// The answer to a join, or the place after a reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) room: RoomIndex,
    /// The head of the room; what was missed ends here, live messages follow.
    pub(crate) position: Position,
    /// How many messages up to the head follow.
    pub(crate) missed: u64,
    /// The log reached back to where the client wanted to go on.
    pub(crate) resumed: bool,
}

/// The history of one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct History {
    pub(crate) user: UserIndex,
    pub(crate) events: Vec<Event>,
}

/// How many events all histories may hold together: 24 bytes each.
pub(crate) const EVENTS_MAX: u64 = 100_000_000;

/// Counts the events of all clients, so that memory has a bound.
#[derive(Debug, Clone, Default)]
pub(crate) struct Budget(Arc<AtomicU64>);

impl Budget {
    /// Notes one more event.
    pub(crate) fn spend(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The run has to end, because what follows could not be checked.
    pub(crate) fn is_spent(&self) -> bool {
        EVENTS_MAX <= self.0.load(Ordering::Relaxed)
    }
}
