//! Keeping somebody from writing, or from being there.

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
