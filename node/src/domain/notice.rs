//! What a client is told without having asked.

use crate::domain::event::SharedEntry;
use crate::domain::id::{MessageId, RoomId, UserId};
use crate::domain::position::Position;
use crate::domain::presence::{Shown, Status};
use crate::domain::role::Participant;
use crate::domain::stats::Stats;
use crate::domain::time::Timestamp;

/// Something a dialect may have an event for. Who hears it is decided by the hub and by the
/// dialect's `to`; how it is spelled by the dialect alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The connection is open and its token good.
    Connected {
        /// Whose connection.
        user: Participant,
        /// The connection's own Socket.IO id; told to nobody else.
        socket: String,
    },
    /// An entry of a joined room.
    Entry(SharedEntry),
    /// Somebody types in a joined room.
    TypingStarted {
        /// Where.
        room: RoomId,
        /// Who.
        user: Participant,
    },
    /// Somebody who was typing in a joined room has stopped.
    TypingStopped {
        /// Where.
        room: RoomId,
        /// Who.
        user: Participant,
    },
    /// A user's first connection came into a joined room.
    Entered {
        /// Which.
        room: RoomId,
        /// Who.
        user: Participant,
    },
    /// A user's last connection has left a joined room.
    Left {
        /// Which.
        room: RoomId,
        /// Who.
        user: Participant,
    },
    /// To a joiner: somebody is in the room already.
    Present {
        /// Which.
        room: RoomId,
        /// Who.
        user: Participant,
        /// What the user is seen as.
        status: Status,
    },
    /// To a joiner, before [`Self::Present`]: somebody is in the room already, whatever the
    /// user is seen as.
    Inside {
        /// Which.
        room: RoomId,
        /// Who.
        user: Participant,
    },
    /// Somebody in a joined room is seen as online, away or busy now.
    UserOnline {
        /// Which room.
        room: RoomId,
        /// Who.
        user: Participant,
        /// Now seen as.
        status: Status,
    },
    /// Somebody who was seen in a joined room is seen as offline now.
    UserOffline {
        /// Which room.
        room: RoomId,
        /// Who.
        user: Participant,
    },
    /// Who is listed as online has changed; told at most once a second.
    Listed {
        /// Who; at most 200.
        users: Vec<Shown>,
        /// When they were.
        at: Timestamp,
    },
    /// To members of a room, wherever they are: somebody wrote in it; at most once a second.
    News {
        /// Which room.
        room: RoomId,
        /// When.
        at: Timestamp,
    },
    /// To members of a room, wherever they are: it was closed.
    Ended {
        /// Which room.
        room: RoomId,
        /// When.
        at: Timestamp,
    },
    /// To agents who see to a room: it is now the first of theirs.
    Raised {
        /// Which room.
        room: RoomId,
        /// When.
        at: Timestamp,
    },
    /// To an admin who watches them: the cluster's figures have changed.
    Stats {
        /// What they are now.
        stats: Stats,
        /// When they were.
        at: Timestamp,
    },
    /// A message of the user was handed to somebody else.
    Delivered {
        /// Which message.
        message: MessageId,
    },
    /// A message of the user was read.
    Read {
        /// Which message.
        message: MessageId,
        /// By whom.
        reader: UserId,
    },
    /// The application wants something shown: a JSON value in text form.
    Notification {
        /// As the application gave it.
        data: String,
    },
    /// An event of the application's own, the same in every dialect.
    Emitted {
        /// The event's name.
        event: String,
        /// A JSON value in text form.
        data: String,
    },
    /// The log no longer reaches back to where the connection was; what follows starts here.
    HistoryReset {
        /// Which room.
        room: RoomId,
        /// The fresh starting point.
        position: Position,
    },
    /// The token ends soon.
    TokenExpiring {
        /// When.
        expires_at: Timestamp,
    },
}
