//! The answer yes.

use crate::domain::event::SharedEntry;
use crate::domain::id::{MessageId, RoomId, UserId};
use crate::domain::position::Position;
use crate::domain::presence::{Shown, Status};
use crate::domain::role::Participant;
use crate::domain::room::RoomCard;
use crate::domain::stats::Stats;
use crate::domain::time::Timestamp;
use crate::domain::view::View;

/// What a command came to; a dialect spells it in the acknowledgement and in its reply events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The connection hears the room from here on.
    Joined {
        /// Which room, and what is told of it.
        room: RoomCard,
        /// Live events continue after this place, once what was missed has followed.
        position: Position,
        /// Whether the log reached back to where the client wanted to go on.
        resumed: bool,
        /// How many entries follow before live ones.
        missed: u64,
        /// How many users are in the room, the asker among them.
        members: u64,
        /// What the asker's dialect shows of the room.
        view: View,
    },
    /// The room is made; the asker is a member, and has not joined it.
    Created {
        /// Which.
        room: RoomCard,
        /// When Redis made it.
        at: Timestamp,
    },
    /// The connection no longer hears the room.
    Left {
        /// Which room.
        room: RoomId,
    },
    /// The message is stored (now, or by an earlier attempt).
    Sent {
        /// Its public id.
        message: MessageId,
        /// Its room.
        room: RoomId,
        /// Its place.
        position: Position,
        /// When Redis stored it.
        at: Timestamp,
        /// What an earlier attempt stored, for a dialect that answers by the message itself.
        repeated: Option<SharedEntry>,
    },
    /// Nobody can write into the room any more.
    Closed {
        /// Which.
        room: RoomId,
    },
    /// A page of a room's messages.
    History {
        /// Which room.
        room: RoomId,
        /// The messages, oldest first.
        messages: Vec<SharedEntry>,
        /// How many were looked for.
        limit: u32,
        /// How many of the newest were passed over.
        offset: u64,
        /// How many messages the room has had.
        total: u64,
    },
    /// Who is in a room, the asker among them; at most 201.
    Users {
        /// Which room.
        room: RoomId,
        /// Who: nobody who is seen as offline.
        users: Vec<Shown>,
    },
    /// Who is online; at most 200.
    Online {
        /// Who asked.
        user: Participant,
        /// Who, the most recently seen first.
        users: Vec<Shown>,
        /// When they were.
        at: Timestamp,
    },
    /// The cluster's figures.
    Stats {
        /// What they are.
        stats: Stats,
        /// When they were.
        at: Timestamp,
    },
    /// The user is known to be there.
    Renewed,
    /// The connections of a user are being ended.
    Disconnected {
        /// Whose.
        user: UserId,
    },
    /// The read mark has moved, or stood further already.
    Marked,
    /// Others will be told.
    Typed,
    /// The status is set.
    StatusSet {
        /// To what.
        status: Status,
        /// Whose.
        user: Participant,
        /// When, by this node's clock.
        at: Timestamp,
    },
    /// The token is good.
    Authenticated {
        /// Whose it is.
        user: Participant,
    },
}
