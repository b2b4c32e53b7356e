//! How much there is: the figures that admins may see.

/// The cluster's figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Rooms that exist, reserved ones aside.
    pub rooms: u64,
    /// Those of them that are open and have a connected user in them.
    pub active_rooms: u64,
    /// Users who are seen as online, away or busy.
    pub users: u64,
}
