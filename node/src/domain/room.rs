//! What is known of a room besides its log.

use crate::domain::id::{RoomId, UserId};
use crate::domain::room_fields::Metadata;
use crate::domain::time::Timestamp;

/// Who may come in without being named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// Everyone with a valid token.
    Public,
    /// Members, agents of its department, and those whose token grants it.
    Private,
}

impl Visibility {
    /// As records and clients write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
        }
    }

    /// What [`Self::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Public, Self::Private].into_iter().find(|it| it.as_str() == text)
    }
}

/// Whether a room takes messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomState {
    /// Takes messages.
    Open,
    /// Can only be read.
    Closed,
}

impl RoomState {
    /// As records write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }

    /// What [`Self::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Open, Self::Closed].into_iter().find(|it| it.as_str() == text)
    }
}

/// What a member is to a room. Every role lets its bearer in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberRole {
    /// Takes part.
    Member,
    /// An agent whom the room is assigned to.
    Agent,
}

impl MemberRole {
    /// As records write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Agent => "agent",
        }
    }

    /// What [`Self::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Member, Self::Agent].into_iter().find(|it| it.as_str() == text)
    }
}

/// A room as whoever comes in is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomCard {
    /// Which room.
    pub id: RoomId,
    /// Its name; the id where nobody gave it one.
    pub name: String,
    /// What it is about; may be empty.
    pub description: String,
    /// Who may come in. Of a room that nobody has described: public.
    pub visibility: Visibility,
}

impl RoomCard {
    /// The card of a room that nobody has described.
    #[must_use]
    pub fn plain(id: &RoomId) -> Self {
        Self {
            id: id.clone(),
            name: id.as_str().to_owned(),
            description: String::new(),
            visibility: Visibility::Public,
        }
    }
}

/// A room's record in Redis, as far as access asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// `None`: nobody has described it.
    pub name: Option<String>,
    /// What it is about; may be empty.
    pub description: String,
    /// Who may come in.
    pub visibility: Visibility,
    /// Whether it takes messages.
    pub state: RoomState,
    /// Whose agents may come in.
    pub department: Option<String>,
}

impl Room {
    /// The card of this room.
    #[must_use]
    pub fn card(self, id: &RoomId) -> RoomCard {
        let Self { name: Some(name), description, visibility, .. } = self else {
            return RoomCard::plain(id);
        };
        RoomCard { id: id.clone(), name, description, visibility }
    }
}

/// A room's whole record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomRecord {
    /// What access asks for.
    pub room: Room,
    /// What the application keeps with it.
    pub metadata: Metadata,
    /// Who made it; `None`: the application, or a first join.
    pub creator: Option<UserId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the record was changed last.
    pub updated_at: Timestamp,
}

/// What a room's name reserves it for, whatever its record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserved<'a> {
    /// `dept_…`: this department's agents, and admins.
    Department(&'a str),
    /// `user_…`: this user alone.
    User(&'a str),
    /// The list of who is online.
    Lobby,
    /// News of rooms, for the nodes of their members.
    Newsroom,
}

impl<'a> Reserved<'a> {
    /// For whom the room is reserved, if it is.
    #[must_use]
    pub fn of(room: &'a RoomId) -> Option<Self> {
        let name = room.as_str();
        if *room == RoomId::lobby() {
            return Some(Self::Lobby);
        }
        if *room == RoomId::newsroom() {
            return Some(Self::Newsroom);
        }
        let department = name.strip_prefix("dept_").map(Self::Department);
        department.or_else(|| name.strip_prefix("user_").map(Self::User))
    }
}

/// A room to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRoom {
    /// What is known of it.
    pub room: Room,
    /// What the application keeps with it.
    pub metadata: Metadata,
    /// Who makes it; `None`: the application, or a first join.
    pub creator: Option<UserId>,
    /// Its first members.
    pub members: Vec<(UserId, MemberRole)>,
}

/// What is to change in a room's record; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoomChange {
    /// What it is called.
    pub name: Option<String>,
    /// What it is about.
    pub description: Option<String>,
    /// Who may come in.
    pub visibility: Option<Visibility>,
    /// Whose agents may come in; `Some(None)`: nobody's.
    pub department: Option<Option<String>>,
    /// What the application keeps with it.
    pub metadata: Option<Metadata>,
}

impl RoomChange {
    /// Whether somebody who may come in now might not afterwards.
    #[must_use]
    pub fn narrows(&self) -> bool {
        self.visibility == Some(Visibility::Private) || self.department.is_some()
    }
}

impl NewRoom {
    /// A room that nobody describes: it is made by being joined.
    #[must_use]
    pub fn plain(visibility: Visibility) -> Self {
        let room = Room {
            name: None,
            description: String::new(),
            visibility,
            state: RoomState::Open,
            department: None,
        };
        Self { room, metadata: Metadata::default(), creator: None, members: Vec::new() }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_that_nobody_described_is_called_by_its_id() {
        let id = RoomId::parse("r").unwrap();
        let mut room = Room {
            name: None,
            description: String::new(),
            visibility: Visibility::Private,
            state: RoomState::Open,
            department: None,
        };
        assert_eq!(room.clone().card(&id), RoomCard::plain(&id));
        room.name = Some("Sales".to_owned());
        let card = room.card(&id);
        assert_eq!((card.name.as_str(), card.visibility), ("Sales", Visibility::Private));
    }
}
