//! Who is there.

use serde::{Deserialize, Serialize};

use crate::domain::id::{ConnId, NodeLife, UserId};
use crate::domain::role::Participant;
use crate::domain::time::Timestamp;

/// What a user is seen as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Connected, and nothing else was said.
    Online,
    /// Connected and away.
    Away,
    /// Connected and not to be disturbed.
    Busy,
    /// Not connected, or connected and wanting to be seen as gone.
    Offline,
}

impl Status {
    /// The status as clients write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Away => "away",
            Self::Busy => "busy",
            Self::Offline => "offline",
        }
    }

    /// The status that a client's text names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "online" => Some(Self::Online),
            "away" => Some(Self::Away),
            "busy" => Some(Self::Busy),
            "offline" => Some(Self::Offline),
            _ => None,
        }
    }
}

/// Users of a list of who is online.
pub const LISTED_USERS_MAX: usize = 200;

/// A user as a list shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Who.
    pub user: Participant,
    /// Seen as what.
    pub status: Status,
    /// Seen when.
    pub at: Timestamp,
}

/// A user's presence as the cluster knows it. A higher version is the newer truth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Who.
    pub user: UserId,
    /// Rises with each transition and each change of status.
    pub version: u64,
    /// What the user is seen as.
    pub status: Status,
}

/// A user's connection, as the application is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Which node has it.
    pub node: NodeLife,
    /// Which of that node's it is.
    pub conn: ConnId,
    /// In which dialects it is told of its user: those that it has used, or its usual one.
    pub dialects: Vec<String>,
    /// Since when it is the user's.
    pub since: Timestamp,
}

/// Connections of one user that a node tells at most.
pub const DEVICES_MAX: usize = 100;
