//! What those who belong to a room hear of it, wherever they are.

use serde::{Deserialize, Serialize};

use crate::domain::id::{RoomId, UserId};
use crate::domain::time::Timestamp;

/// Members of one room that are told its news.
pub const NEWS_MEMBERS_MAX: usize = 200;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Happened {
    /// Somebody wrote.
    Posted,
    /// The room was closed.
    Closed,
}

/// News of a room, and whom it concerns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct News {
    /// Which room.
    pub room: RoomId,
    /// What happened.
    pub what: Happened,
    /// When.
    pub at: Timestamp,
    /// Its members; at most [`NEWS_MEMBERS_MAX`].
    pub members: Vec<UserId>,
    /// The agents who see to it, unless a department does; at most [`NEWS_MEMBERS_MAX`].
    pub agents: Vec<UserId>,
}
