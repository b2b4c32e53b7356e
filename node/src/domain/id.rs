//! Names of rooms, users and messages, checked when they are made.
//!
//! Ids become parts of Redis keys and of cluster hash tags, so the characters that they may hold
//! are an allow-list: braces, globs, spaces, line ends and control characters are not in it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use crate::domain::position::{Epoch, Position, Seq};

/// Longest room or user id in bytes: a UUID, an e-mail address or an issuer's composed subject
/// fits, and 100 rooms of a connection stay small.
pub const ID_BYTES_MAX: usize = 128;

/// Longest `clientMessageId` in bytes. Clients send UUIDs or counters.
pub const CLIENT_MESSAGE_ID_BYTES_MAX: usize = 128;

/// Longest token id in bytes: issuers put a UUID there, or a word and a hash.
pub const TOKEN_ID_BYTES_MAX: usize = 256;

/// Why a text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdProblem {
    /// Nothing there.
    #[error("is empty")]
    Empty,
    /// More bytes than allowed.
    #[error("is longer than {0} bytes")]
    TooLong(usize),
    /// A character outside of the allow-list.
    #[error("may hold only letters, digits and - _ . : @ | ~ + = / !")]
    Character,
}

/// Letters, digits and the marks of UUIDs, e-mail addresses, paths and composed subjects.
fn is_id_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.:@|~+=/!".contains(c)
}

fn checked(text: &str, bytes_max: usize) -> Result<Arc<str>, IdProblem> {
    if text.is_empty() {
        return Err(IdProblem::Empty);
    }
    if bytes_max < text.len() {
        return Err(IdProblem::TooLong(bytes_max));
    }
    if !text.chars().all(is_id_char) {
        return Err(IdProblem::Character);
    }
    Ok(Arc::from(text))
}

/// A checked, cheaply cloned name.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $bytes_max:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes a text that is an id.
            ///
            /// # Errors
            /// Empty, longer than the bound, or with a character outside of the allow-list.
            pub fn parse(text: &str) -> Result<Self, IdProblem> {
                checked(text, $bytes_max).map(Self)
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdProblem;

            fn try_from(text: String) -> Result<Self, IdProblem> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// A room: a conversation, case, chat group or ticket. At most [`ID_BYTES_MAX`] bytes.
    RoomId,
    ID_BYTES_MAX
);
impl RoomId {
    /// The room in which whoever is listed as online has a seat. Agents hear it; nobody can join it.
    #[must_use]
    pub fn lobby() -> Self {
        Self(Arc::from("!online"))
    }

    /// What ids of the room's events tell of the room.
    #[must_use]
    pub fn hash38(&self) -> u64 {
        room_hash(self) & ((1 << ROOM_BITS) - 1)
    }

    /// The room through which nodes hear what concerns members of other rooms, wherever those are.
    /// Nothing is told to whoever hears it as such, and nobody can join it.
    #[must_use]
    pub fn newsroom() -> Self {
        Self(Arc::from("!news"))
    }
}

id!(
    /// A person or program that a token names. At most [`ID_BYTES_MAX`] bytes.
    UserId,
    ID_BYTES_MAX
);
id!(
    /// The sender's own name for a message: a second send with the same one is stored once.
    ClientMessageId,
    CLIENT_MESSAGE_ID_BYTES_MAX
);

id!(
    /// A token's own id (`jti`). At most [`TOKEN_ID_BYTES_MAX`] bytes.
    TokenId,
    TOKEN_ID_BYTES_MAX
);

/// One connection of one node process. Processes count from places of their own, so no other
/// connection has the number, here or elsewhere, now or later. Shown to nobody but the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ConnId(pub u64);

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A life of a node as Redis knows it: a later life of the same index has a higher incarnation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NodeLife {
    /// Small number of the node, unique among living nodes of a prefix.
    pub index: u32,
    /// Rises with each start, reconnect and lost lease.
    pub incarnation: u64,
}

impl fmt::Display for NodeLife {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.index, self.incarnation)
    }
}

/// The public id of a message: a UUID of version 8 that packs a hash of the room, the epoch and
/// the seq, so a room that the asker is in finds the message without a key per message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(Uuid);

/// Bits of the epoch (milliseconds: enough until the year 2527).
const EPOCH_BITS: u32 = 44;
/// Bits of the seq (a million messages a day for three thousand years).
const SEQ_BITS: u32 = 40;
/// Bits of the room's hash: what a version-8 UUID has left.
const ROOM_BITS: u32 = 38;

impl MessageId {
    /// The id of the message at `position` of `room`.
    #[must_use]
    pub fn new(room: &RoomId, position: Position) -> Self {
        let mask = |value: u64, bits: u32| u128::from(value & ((1_u64 << bits) - 1));
        let payload = (mask(position.epoch.0, EPOCH_BITS) << (SEQ_BITS + ROOM_BITS))
            | (mask(position.seq.0, SEQ_BITS) << ROOM_BITS)
            | mask(room_hash(room), ROOM_BITS);
        // A version-8 UUID has 48 free bits, the version, 12 free bits, the variant, 62 free bits.
        let high = (payload >> 74) << 80;
        let middle = ((payload >> 62) & 0xfff) << 64;
        let low = payload & ((1 << 62) - 1);
        Self(Uuid::from_u128(high | (0x8 << 76) | middle | (0b10 << 62) | low))
    }

    /// Takes a UUID that this cluster could have made.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let uuid = Uuid::try_parse(text).ok()?;
        (uuid.get_version_num() == 8).then_some(Self(uuid))
    }

    /// Where in its room the message is.
    #[must_use]
    pub fn position(&self) -> Position {
        let payload = self.payload();
        let bits = |value: u128, bits: u32| {
            u64::try_from(value & ((1 << bits) - 1)).unwrap_or_default() // fits: at most 44 bits
        };
        Position {
            epoch: Epoch(bits(payload >> (SEQ_BITS + ROOM_BITS), EPOCH_BITS)),
            seq: Seq(bits(payload >> ROOM_BITS, SEQ_BITS)),
        }
    }

    /// Whether `room` is the message's room, as far as its hash can tell (1 in 2^38 lies).
    #[must_use]
    pub fn is_in(&self, room: &RoomId) -> bool {
        Self::new(room, self.position()) == *self
    }

    /// What the id tells of its room: [`RoomId::hash38`].
    #[must_use]
    pub fn room_hash(&self) -> u64 {
        let bits = self.payload() & ((1 << ROOM_BITS) - 1);
        u64::try_from(bits).unwrap_or_default() // fits: 38 bits
    }

    /// The id's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// Takes bytes that are an id which this cluster could have made.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Option<Self> {
        let uuid = Uuid::from_bytes(bytes);
        (uuid.get_version_num() == 8).then_some(Self(uuid))
    }

    fn payload(&self) -> u128 {
        let value = self.0.as_u128();
        ((value >> 80) << 74) | (((value >> 64) & 0xfff) << 62) | (value & ((1 << 62) - 1))
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

fn room_hash(room: &RoomId) -> u64 {
    xxh3_64(room.as_str().as_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn characters_that_redis_keys_give_a_meaning_to_are_no_ids() {
        for text in ["", "a}{b", "*", "\r\nFLUSHALL", "a b", "é", "a\0", &"x".repeat(129)] {
            assert!(RoomId::parse(text).is_err(), "{text:?} was taken");
        }
        for text in ["conv-1", "auth0|5f", "a@b.example", "123", &"x".repeat(128)] {
            assert!(RoomId::parse(text).is_ok(), "{text:?} was refused");
        }
    }

    proptest! {
        #[test]
        fn a_message_id_tells_its_position_and_room(
            room in "[a-z0-9-]{1,40}",
            other in "[A-Z]{1,40}",
            epoch in 0_u64..1 << EPOCH_BITS,
            seq in 0_u64..1 << SEQ_BITS,
        ) {
            let (room, other) = (RoomId::parse(&room).unwrap(), RoomId::parse(&other).unwrap());
            let position = Position { epoch: Epoch(epoch), seq: Seq(seq) };
            let id = MessageId::new(&room, position);
            prop_assert_eq!(id.position(), position);
            prop_assert!(id.is_in(&room));
            prop_assert!(!id.is_in(&other));
            prop_assert_eq!(id.room_hash(), room.hash38());
            prop_assert_eq!(MessageId::parse(&id.to_string()), Some(id));
        }
    }
}
