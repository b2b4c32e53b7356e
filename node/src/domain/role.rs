//! Who somebody is to the product, and which side of the desk that is.

use serde::{Deserialize, Serialize};

use crate::domain::id::{RoomId, UserId};

/// What a token says its bearer is. An unknown role in a token is `User`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A person who asks for help, or simply a person.
    #[default]
    User,
    /// A customer of a support desk.
    Client,
    /// A volunteer who answers in a crisis chat.
    Volunteer,
    /// A support agent.
    Agent,
    /// Someone who may do everything.
    Admin,
}

/// The two sides of a desk; payloads that name a role are compared by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Users and clients.
    Client,
    /// Volunteers, agents and admins.
    Agent,
}

impl Side {
    /// The side that a payload's role names; `support` is what some call an agent.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "user" | "client" => Some(Self::Client),
            "volunteer" | "agent" | "admin" | "support" => Some(Self::Agent),
            _ => None,
        }
    }

    /// The side as dialects write it that have no words of their own.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Agent => "agent",
        }
    }
}

impl Role {
    /// The side that this role stands on.
    #[must_use]
    pub fn side(self) -> Side {
        match self {
            Self::User | Self::Client => Side::Client,
            Self::Volunteer | Self::Agent | Self::Admin => Side::Agent,
        }
    }

    /// The role as tokens and payloads write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Client => "client",
            Self::Volunteer => "volunteer",
            Self::Agent => "agent",
            Self::Admin => "admin",
        }
    }

    /// The role that a token's text names; an unknown one is [`Role::User`].
    #[must_use]
    pub fn from_claim(text: &str) -> Self {
        match text {
            "client" => Self::Client,
            "volunteer" => Self::Volunteer,
            "agent" => Self::Agent,
            "admin" => Self::Admin,
            _ => Self::User,
        }
    }
}

/// A person as others in a room see them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Participant {
    /// The token's subject.
    pub id: UserId,
    /// Display name; the id where no name is known.
    pub name: String,
    /// The token's role.
    pub role: Role,
    /// The name's parts where the token gives them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_name: Option<Box<FullName>>,
}

/// A name in its parts; either may be empty. Few tokens tell them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FullName {
    /// What friends call a person.
    pub given: String,
    /// What its family is called.
    pub family: String,
}

impl Participant {
    /// The parts of the name as the token gives them, else the name up to its last space, and what
    /// follows it.
    #[must_use]
    pub fn first_and_last_name(&self) -> (&str, &str) {
        match &self.full_name {
            Some(full) => (&full.given, &full.family),
            None => self.name.rsplit_once(' ').unwrap_or((&self.name, "")),
        }
    }
}

/// Longest display name in characters; the rest is cut off.
const NAME_CHARS_MAX: usize = 100;

/// A name that fits into one line; `None`: nothing of it is left.
#[must_use]
pub fn display_name(text: &str) -> Option<String> {
    let printable: String = text.chars().filter(|it| !it.is_control()).collect();
    let name: String = printable.trim().chars().take(NAME_CHARS_MAX).collect();
    (!name.is_empty()).then_some(name)
}

/// A room, or every room whose id starts with a text, that a token lets its bearer into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// Exactly this room.
    Room(RoomId),
    /// All rooms with this prefix (`conv-*`; `*` alone is every room).
    Prefix(String),
}

impl Grant {
    /// Takes one element of a token's `rooms` claim: an id, or a prefix that ends in `*`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_suffix('*') {
            Some(prefix) => Some(Self::Prefix(prefix.to_owned())),
            None => RoomId::parse(text).ok().map(Self::Room),
        }
    }

    /// Whether the grant covers `room`.
    #[must_use]
    pub fn covers(&self, room: &RoomId) -> bool {
        match self {
            Self::Room(granted) => granted == room,
            Self::Prefix(prefix) => room.as_str().starts_with(prefix),
        }
    }
}

/// A connected person with all that the token said: who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The person as others see them.
    pub participant: Participant,
    /// Whether the name is known: else the id stands for it.
    pub is_named: bool,
    /// Rooms that the token grants.
    pub grants: Vec<Grant>,
    /// Departments of an agent.
    pub departments: Vec<String>,
}

impl Actor {
    /// The user's id.
    #[must_use]
    pub fn id(&self) -> &UserId {
        &self.participant.id
    }

    /// Takes a name where none is known.
    pub fn name_if_unnamed(&mut self, name: Option<&str>) {
        if let (false, Some(name)) = (self.is_named, name) {
            name.clone_into(&mut self.participant.name);
            self.is_named = true;
        }
    }

    /// Whether the token alone lets the actor into `room`.
    #[must_use]
    pub fn is_granted(&self, room: &RoomId) -> bool {
        self.participant.role == Role::Admin || self.grants.iter().any(|it| it.covers(room))
    }
}
