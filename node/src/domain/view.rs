//! What a joiner sees of a room.

use crate::domain::event::SharedEntry;
use crate::domain::presence::Shown;
use crate::domain::time::Timestamp;

/// Newest messages that a joiner is shown.
pub const SHOWN_MESSAGES_MAX: u32 = 100;

/// Users that a joiner is shown, the joiner among them.
pub const SHOWN_USERS_MAX: usize = 200;

/// What a joiner wants to be shown: each costs a read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The newest messages.
    pub messages: bool,
    /// Who is in the room.
    pub users: bool,
    /// When the room was made.
    pub created_at: bool,
}

/// What a joiner is shown, as far as it wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The newest messages up to the place from which live ones follow, oldest first; none where
    /// the joiner goes on from a place of its own.
    pub messages: Vec<SharedEntry>,
    /// Who is in the room and seen as what, the joiner among them.
    pub users: Vec<Shown>,
    /// When the room was made.
    pub created_at: Option<Timestamp>,
}
