//! Places in a room's log.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A stretch of a room's log in which nothing was lost: milliseconds by Redis' clock, raised when
/// Redis may have lost the log's tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

/// A room's dense number of an entry: 1, 2, 3 … (0: before the first).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// The number after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A place in a room's log. Ordered by epoch, then seq; an epoch's first entry continues the seq.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// In which epoch the entry was written.
    pub epoch: Epoch,
    /// Its number in the room.
    pub seq: Seq,
}

impl Position {
    /// The position (`epoch`, `seq`).
    #[must_use]
    pub fn new(epoch: u64, seq: u64) -> Self {
        Self { epoch: Epoch(epoch), seq: Seq(seq) }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch.0, self.seq.0)
    }
}
