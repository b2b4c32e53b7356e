//! Keeping somebody from writing, or from being there.

use crate::domain::id::{RoomId, UserId};

/// What is kept from a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bar {
    /// Writing.
    Mute,
    /// Being there, and writing.
    Ban,
}

impl Bar {
    /// As records write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mute => "mute",
            Self::Ban => "ban",
        }
    }
}

/// For how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    /// Until it is lifted.
    Ever,
    /// At least 1, from now on by Redis' clock.
    Seconds(u64),
    /// No longer.
    Lifted,
}

/// What is kept from whom, where, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Barring {
    /// Where; `None`: everywhere.
    pub room: Option<RoomId>,
    /// From whom.
    pub user: UserId,
    /// What.
    pub bar: Bar,
    /// For how long.
    pub term: Term,
}
