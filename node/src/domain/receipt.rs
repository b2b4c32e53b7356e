//! Who has got and who has read what.

use crate::domain::id::{RoomId, UserId};
use crate::domain::position::Position;

/// Messages of one receipt event at most; of more, the newest are told.
pub const RECEIPT_MESSAGES_MAX: usize = 100;

/// Messages of a room that this node has handed to live connections of people other than their
/// authors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handed {
    /// Which room.
    pub room: RoomId,
    /// Place and author of each, oldest first; at most [`RECEIPT_MESSAGES_MAX`].
    pub messages: Vec<(Position, UserId)>,
}
