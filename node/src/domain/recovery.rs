//! What a connection leaves behind so that its client can go on over another one, on any node.
//!
//! An unchanged client names two things when it comes back: the private name of the connection that
//! it lost, and the offset of the newest room event that it had heard there. What the node has kept
//! tells from these two where each of the connection's rooms has to go on.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::id::{ConnId, MessageId, RoomId};
use crate::domain::position::Position;
use crate::domain::time::Timestamp;

/// How far apart two events of different rooms may reach a connection whose node cannot tell any
/// more in which order: what was stored so long before the newest one was heard too. A publication
/// that was lost is found and repaired within that.
const DISORDER_MAX: Duration = Duration::from_secs(5);

/// Rooms of a connection that are kept. Of one that is in more, nothing is: its client begins anew.
pub const KEPT_ROOMS_MAX: usize = 1000;

/// A connection's private name, known to its client alone: whoever names it, and is the same user,
/// is given back what the connection had.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pid(Uuid);

impl Pid {
    /// A name that nobody can guess.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// Takes a name as [`Self::expose`] writes it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self)
    }

    /// The name itself: for its client and for keys.
    #[must_use]
    pub fn expose(self) -> String {
        self.0.simple().to_string()
    }
}

impl fmt::Debug for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pid(…)")
    }
}

/// The place of a room event among all that a client hears: in its room, and in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offset {
    /// Which event.
    pub event: MessageId,
    /// When Redis stored it.
    pub at: Timestamp,
}

/// Bytes of an event's id, and of a time: enough for ten thousand years.
const ID_BYTES: usize = 16;
const TIME_BYTES: usize = 6;

impl Offset {
    /// Takes an offset as it is displayed. Clients repeat what they were told, and may say anything.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; ID_BYTES + TIME_BYTES];
        let len = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        if len != bytes.len() {
            return None;
        }
        let (id, time) = bytes.split_first_chunk()?;
        let at = time.iter().fold(0, |at, byte| (at << 8) | u64::from(*byte));
        Some(Self { event: MessageId::from_bytes(*id)?, at: Timestamp(at) })
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; ID_BYTES + TIME_BYTES];
        let (id, time) = bytes.split_at_mut(ID_BYTES);
        id.copy_from_slice(self.event.as_bytes());
        time.copy_from_slice(&self.at.0.to_be_bytes()[8 - TIME_BYTES..]);
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// A room that a connection was in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptRoom {
    /// Which.
    pub room: RoomId,
    /// Name of the dialect in which it is heard.
    pub dialect: String,
    /// The user is seen in it, and does not only hear it.
    pub is_seated: bool,
    /// Everything up to here was heard, or was not asked for.
    pub place: Position,
    /// It was still catching up from `place`, as far as its client has confirmed.
    pub is_behind: bool,
}

/// What a connection leaves behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// In which namespace it was.
    pub namespace: String,
    /// The first of the connections that it took up, or itself: their doings are its own.
    pub origin: ConnId,
    /// Its rooms.
    pub rooms: Vec<KeptRoom>,
    /// The user was listed as online through it.
    pub is_listed: bool,
    /// Name of the dialect in which it is told the lists of its rooms' users, if it is.
    pub lists: Option<String>,
    /// Name of the dialect in which it is told the cluster's figures, if it is.
    pub stats: Option<String>,
    /// The room events that were written to it and not confirmed, in order. `None`: not known; the
    /// node died, or there were too many.
    pub written: Option<Vec<MessageId>>,
}

/// Where a room has to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resumption {
    /// After this place.
    After(Position),
    /// After the newest entry that was stored by then, and not before `earliest`.
    By {
        /// A place that was heard for certain.
        earliest: Position,
        /// What was stored up to this time was heard.
        time: Timestamp,
    },
}

impl Kept {
    /// Whether there is nothing to come back to.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { namespace: _, origin: _, rooms, is_listed, lists, stats, written: _ } = self;
        rooms.is_empty() && !is_listed && lists.is_none() && stats.is_none()
    }

    /// Where each of the rooms has to go on, in their order, for a client whose newest room event
    /// is `offset`. Nothing is left out; what comes twice, if the order of writing is not known, is
    /// at most what other rooms stored shortly before.
    #[must_use]
    pub fn resumptions(&self, offset: Option<Offset>) -> Vec<Resumption> {
        let (Some(written), Some(offset)) = (&self.written, offset) else {
            return self.rooms.iter().map(|room| room.resumption(offset)).collect();
        };
        // One that is not there was heard over an earlier connection: of this one's, nothing was.
        let heard = written.iter().position(|it| *it == offset.event).map_or(0, |it| it + 1);
        let mut places = BTreeMap::new();
        for event in &written[..heard] {
            let place = places.entry(event.room_hash()).or_insert_with(|| event.position());
            *place = event.position().max(*place);
        }
        let resumption = |room: &KeptRoom| {
            let written = places.get(&room.room.hash38()).copied();
            Resumption::After(written.map_or(room.place, |it| it.max(room.place)))
        };
        self.rooms.iter().map(resumption).collect()
    }
}

impl KeptRoom {
    /// Where the room goes on if nobody knows what was written after it was kept.
    fn resumption(&self, offset: Option<Offset>) -> Resumption {
        match offset {
            Some(offset) if offset.event.room_hash() == self.room.hash38() => {
                Resumption::After(offset.event.position().max(self.place))
            }
            Some(offset) if !self.is_behind => {
                let disorder = u64::try_from(DISORDER_MAX.as_millis()).unwrap_or(u64::MAX);
                let time = Timestamp(offset.at.0.saturating_sub(disorder));
                Resumption::By { earliest: self.place, time }
            }
            Some(_) | None => Resumption::After(self.place),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn room(name: &str) -> RoomId {
        RoomId::parse(name).unwrap()
    }

    fn event(name: &str, seq: u64) -> MessageId {
        MessageId::new(&room(name), Position::new(1, seq))
    }

    fn kept_room(name: &str, seq: u64, is_behind: bool) -> KeptRoom {
        let place = Position::new(1, seq);
        KeptRoom { room: room(name), dialect: "d".to_owned(), is_seated: true, place, is_behind }
    }

    fn kept(written: Option<Vec<MessageId>>) -> Kept {
        let rooms = vec![kept_room("a", 10, false), kept_room("b", 20, false)];
        let rooms = rooms.into_iter().chain([kept_room("c", 30, true)]).collect();
        let namespace = "/".to_owned();
        Kept {
            namespace,
            origin: ConnId(1),
            rooms,
            is_listed: false,
            lists: None,
            stats: None,
            written,
        }
    }

    fn check(kept: &Kept, offset: Option<MessageId>, expected: [u64; 3]) {
        let offset = offset.map(|event| Offset { event, at: Timestamp(100_000) });
        let expected = expected.map(|seq| Resumption::After(Position::new(1, seq)));
        assert_eq!(kept.resumptions(offset), expected, "{offset:?}");
    }

    #[test]
    fn where_the_order_of_writing_is_known_each_room_goes_on_after_what_was_heard() {
        let written = [("a", 10), ("b", 21), ("c", 31), ("b", 22), ("a", 11)];
        let kept = kept(Some(written.map(|(name, seq)| event(name, seq)).to_vec()));
        check(&kept, Some(event("a", 10)), [10, 20, 30]);
        check(&kept, Some(event("c", 31)), [10, 21, 31]);
        check(&kept, Some(event("b", 22)), [10, 22, 31]);
        check(&kept, Some(event("a", 11)), [11, 22, 31]);
        // The client says nothing, or names what it heard over an earlier connection.
        check(&kept, None, [10, 20, 30]);
        check(&kept, Some(event("a", 7)), [10, 20, 30]);
        check(&kept, Some(event("x", 1)), [10, 20, 30]);
    }

    #[test]
    fn where_it_is_not_known_other_rooms_go_back_by_time_unless_they_were_behind() {
        let offset = Offset { event: event("a", 15), at: Timestamp(100_000) };
        let by_time = Resumption::By { earliest: Position::new(1, 20), time: Timestamp(95_000) };
        let after = |seq| Resumption::After(Position::new(1, seq));
        assert_eq!(kept(None).resumptions(Some(offset)), [after(15), by_time, after(30)]);
        check(&kept(None), None, [10, 20, 30]);
    }

    proptest! {
        #[test]
        fn an_offset_is_read_as_it_was_written(seq in 1_u64..1 << 40, at in 0_u64..1 << 47) {
            let offset = Offset { event: event("a", seq), at: Timestamp(at) };
            prop_assert_eq!(Offset::parse(&offset.to_string()), Some(offset));
        }

        #[test]
        fn any_text_is_an_offset_or_none(text in "\\PC{0,40}") {
            let _read = Offset::parse(&text).is_some();
        }
    }
}
