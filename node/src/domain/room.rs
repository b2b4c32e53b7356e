//! What is known of a room besides its log.

use crate::domain::id::{RoomId, UserId};
use crate::domain::time::Timestamp;

/// Longest name of a room, in characters: a line.
pub const ROOM_NAME_CHARACTERS_MAX: usize = 200;

/// Longest description of a room, in characters: a paragraph or two.
pub const ROOM_DESCRIPTION_CHARACTERS_MAX: usize = 2_000;

/// Longest name of a department, in bytes.
pub const DEPARTMENT_BYTES_MAX: usize = 100;

/// Longest metadata of a room, in bytes: each change of it goes to all who are in the room.
pub const METADATA_BYTES_MAX: usize = 16 * 1024;

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

/// What an application keeps with a room: a JSON object in text form, at most
/// [`METADATA_BYTES_MAX`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata(String);

impl Default for Metadata {
    fn default() -> Self {
        Self("{}".to_owned())
    }
}

impl Metadata {
    /// Takes an object of bounded size. Reading has bounded its depth.
    ///
    /// # Errors
    /// Too long.
    pub fn new(object: &serde_json::Map<String, serde_json::Value>) -> Result<Self, RoomProblem> {
        // A map prints as the object that it is.
        let text = serde_json::Value::Object(object.clone()).to_string();
        match text.len() {
            0..=METADATA_BYTES_MAX => Ok(Self(text)),
            _ => Err(RoomProblem::TooManyBytes(METADATA_BYTES_MAX)),
        }
    }

    /// What a record holds, which was checked when it was written.
    #[must_use]
    pub fn stored(text: String) -> Self {
        if text.is_empty() { Self::default() } else { Self(text) }
    }

    /// The object as JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why something is no part of a record; to be read behind its field's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RoomProblem {
    /// Nothing is left of it.
    #[error("is empty")]
    Empty,
    /// More characters than allowed.
    #[error("is longer than {0} characters")]
    TooManyCharacters(usize),
    /// More bytes than allowed.
    #[error("is longer than {0} bytes")]
    TooManyBytes(usize),
    /// Something that no text to be shown holds.
    #[error("holds a control character")]
    Control,
}

/// A room's name: a line that is not empty.
///
/// # Errors
/// It is none.
pub fn room_name(text: &str) -> Result<String, RoomProblem> {
    let name = text.trim();
    if name.is_empty() {
        return Err(RoomProblem::Empty);
    }
    if name.contains(char::is_control) {
        return Err(RoomProblem::Control);
    }
    if ROOM_NAME_CHARACTERS_MAX < name.chars().count() {
        return Err(RoomProblem::TooManyCharacters(ROOM_NAME_CHARACTERS_MAX));
    }
    Ok(name.to_owned())
}

/// A room's description, which may be empty; line feeds and tabs may stand in it.
///
/// # Errors
/// It is none.
pub fn room_description(text: &str) -> Result<String, RoomProblem> {
    if text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')) {
        return Err(RoomProblem::Control);
    }
    if ROOM_DESCRIPTION_CHARACTERS_MAX < text.chars().count() {
        return Err(RoomProblem::TooManyCharacters(ROOM_DESCRIPTION_CHARACTERS_MAX));
    }
    Ok(text.trim().to_owned())
}

/// A department's name, as tokens write it.
///
/// # Errors
/// It is none.
pub fn department(text: &str) -> Result<String, RoomProblem> {
    if text.is_empty() {
        return Err(RoomProblem::Empty);
    }
    if text.contains(char::is_control) {
        return Err(RoomProblem::Control);
    }
    if DEPARTMENT_BYTES_MAX < text.len() {
        return Err(RoomProblem::TooManyBytes(DEPARTMENT_BYTES_MAX));
    }
    Ok(text.to_owned())
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
    fn texts_of_a_record_are_lines_of_bounded_length() {
        assert_eq!(room_name(" Help desk "), Ok("Help desk".to_owned()));
        assert_eq!(room_name(" \t "), Err(RoomProblem::Empty));
        assert_eq!(room_name("a\nb"), Err(RoomProblem::Control));
        assert!(room_name(&"é".repeat(200)).is_ok());
        let problem = room_name(&"é".repeat(201)).unwrap_err().to_string();
        assert_eq!(problem, "is longer than 200 characters");
        assert_eq!(room_description(" a\nb "), Ok("a\nb".to_owned()));
        assert_eq!(room_description("\u{1b}[1m"), Err(RoomProblem::Control));
        assert!(room_description(&"x".repeat(2_001)).is_err());
        assert!(department("").is_err());
    }

    #[test]
    fn metadata_is_an_object_of_bounded_size() {
        let object = |text: &str| serde_json::from_str(text).unwrap();
        let kept = Metadata::new(&object(r#"{ "a": [1, {"b": null}] }"#)).unwrap();
        assert_eq!(kept.as_str(), r#"{"a":[1,{"b":null}]}"#);
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(METADATA_BYTES_MAX));
        assert!(Metadata::new(&object(&long)).is_err());
        assert_eq!(Metadata::stored(String::new()).as_str(), "{}");
    }

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
