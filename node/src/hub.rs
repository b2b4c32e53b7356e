//! Who hears what: topics, their keepers, outboxes, and who is connected here.

pub mod outbox;

/// Cheap handle to topics, keepers and the directory of this node.
#[derive(Debug, Clone)]
pub struct Hub {}

/// What this node serves now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LocalFigures {
    /// Open sessions.
    pub connections: u64,
    /// Rooms that a connection of this node has joined.
    pub rooms: u64,
}

impl Hub {
    /// What this node serves now.
    pub fn figures(&self) -> LocalFigures {
        unimplemented!()
    }
}
