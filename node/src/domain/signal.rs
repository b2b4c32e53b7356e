//! What may be lost: typing, presence, receipts, notifications.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::event::Origin;
use crate::domain::id::{MessageId, RoomId, UserId};
use crate::domain::news::News;
use crate::domain::recovery::Pid;
use crate::domain::role::Participant;
use crate::domain::time::Timestamp;

/// A fact that is delivered at most once and kept nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Signal {
    /// In a room: these type.
    Typing {
        /// Who, and on which connections; those are not told.
        typists: Vec<(Participant, Origin)>,
    },
    /// In a room: somebody has stopped typing.
    Stopped {
        /// Who.
        user: UserId,
    },
    /// In the newsroom: what members of another room hear wherever they are.
    News(News),
    /// In a department's room: another room is now the first of those that it sees to.
    Raised {
        /// Which room.
        room: RoomId,
        /// When that was.
        at: Timestamp,
        /// Who is banned from it, and is not told; at most some hundreds.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        except: Vec<UserId>,
    },
    /// In a room: the user's first connection in the cluster entered it.
    Entered {
        /// Who.
        user: Participant,
    },
    /// In a room: the user's last connection in the cluster has left it.
    Left {
        /// Who.
        user: UserId,
    },
    /// To an author: these messages have been handed to a live connection of somebody else.
    Delivered {
        /// The author's messages, oldest first; at most 100.
        messages: Vec<MessageId>,
    },
    /// To an author: `reader`'s read mark crossed these messages.
    Read {
        /// Who read.
        reader: UserId,
        /// The author's messages, oldest first; at most the newest 100.
        messages: Vec<MessageId>,
    },
    /// To a user: something that the application wants shown.
    Notification {
        /// A JSON value in text form, handed on as it is.
        data: String,
    },
    /// To a user: an event of the application's own, handed on as it is.
    Emitted {
        /// The event's name.
        event: String,
        /// A JSON value in text form.
        data: String,
    },
    /// To a user's nodes: an admin ends all connections of the user.
    Disconnect,
    /// To a user's nodes: the client of this connection has come back over another one, which waits
    /// for what this one leaves behind.
    HandOver {
        /// Which.
        pid: Pid,
    },
    /// To a user's nodes: somebody wants to know the user's connections.
    Asked {
        /// Where the answers are gathered.
        question: Uuid,
    },
    /// To a user's nodes: on how many nodes the user has connections now.
    Spread {
        /// Number of nodes.
        nodes: u32,
    },
}
