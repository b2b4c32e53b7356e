//! What is known of a room besides its log.

/// Who may come in without being named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// Everyone with a valid token.
    Public,
    /// Members, and those whose token grants it.
    Private,
}

/// Whether a room takes messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomState {
    /// Takes messages.
    Open,
    /// Can only be read.
    Closed,
}

/// A room's record in Redis, as far as access asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomRecord {
    /// Who may come in.
    pub visibility: Visibility,
    /// Whether it takes messages.
    pub state: RoomState,
}

/// What happens to rooms that nobody has made (`rooms.policy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RoomPolicy {
    /// Only rooms that exist, or that the token grants.
    #[default]
    Members,
    /// An unknown room is made by its first join, and is public.
    Open,
}
