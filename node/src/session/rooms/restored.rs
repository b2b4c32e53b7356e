//! The rooms of an earlier connection, and what this one would leave behind of its own.

use std::time::Duration;

use crate::dialect::{DialectId, Dialects};
use crate::domain::id::{ConnId, RoomId};
use crate::domain::position::Position;
use crate::domain::recovery::KeptRoom;
use crate::domain::topic::Topic;
use crate::hub::Attached;
use crate::session::rooms::{Joined, Rooms};

/// A room of an earlier connection that is to be taken up again.
#[derive(Debug)]
pub(in crate::session) struct Restored {
    pub(in crate::session) room: RoomId,
    pub(in crate::session) dialect: DialectId,
    /// Where it goes on.
    pub(in crate::session) place: Position,
}

impl Rooms {
    /// What earlier connections did from `origin` on counts as this one's doing, and it is told
    /// lists in this dialect as the last one was.
    pub(in crate::session) fn succeed(&mut self, origin: ConnId, lists: Option<DialectId>) {
        (self.origin, self.lists) = (origin, lists);
    }

    /// As whose doing the connection's own counts.
    pub(in crate::session) fn origin(&self) -> ConnId {
        self.origin
    }

    /// The dialect in which the lists of its rooms' users are told.
    pub(in crate::session) fn lists(&self) -> Option<DialectId> {
        self.lists
    }

    /// An earlier connection was in this room, and it goes on after `place`.
    pub(in crate::session) fn restore(
        &mut self,
        kept: &KeptRoom,
        dialect: DialectId,
        place: Position,
    ) {
        let Some(user) = &self.user else { return };
        let joined = Joined {
            is_seated: kept.is_seated,
            restored_at: Some(place),
            is_awaited: true,
            is_behind: true,
            ..Joined::new(dialect)
        };
        self.joined.insert(kept.room.clone(), joined);
        if kept.is_seated {
            self.directory.enter(&kept.room, user);
        }
        if let Some(trail) = &self.trail {
            trail.enter(&kept.room, place);
        }
        self.pull_later(Topic::Room(kept.room.clone()), Duration::ZERO, false);
    }

    /// Whether a room of an earlier connection has to be taken up.
    pub(in crate::session) fn awaits(&self, room: &RoomId) -> bool {
        self.joined.get(room).is_some_and(|it| it.is_awaited)
    }

    /// A room of an earlier connection.
    pub(in crate::session) fn restored(&self, room: &RoomId) -> Option<Restored> {
        let joined = self.joined.get(room)?;
        let place = joined.restored_at?;
        Some(Restored { room: room.clone(), dialect: joined.dialect, place })
    }

    /// A room of an earlier connection was attached again.
    pub(in crate::session) fn taken_up(&mut self, room: &RoomId, attached: Attached) {
        let Some(joined) = self.joined.get_mut(room) else { return };
        joined.is_awaited = false;
        let place = joined.restored_at;
        self.goes_on_after(room, place, attached);
    }

    /// After which place a client that joins has the room told, and whether that is as it was:
    /// where everything after the place that it names is told already, it is not told again.
    pub(in crate::session) fn goes_on(
        &self,
        room: &RoomId,
        dialect: DialectId,
        since: Option<Position>,
    ) -> (Option<Position>, bool) {
        let joined = self.joined.get(room).filter(|it| it.dialect == dialect);
        let restored = joined.and_then(|it| Some((it, it.restored_at?)));
        match restored {
            Some((joined, place)) if since.is_none_or(|since| place <= since) => {
                (joined.is_awaited.then_some(place), !joined.is_awaited)
            }
            Some(_) | None => (since, false),
        }
    }

    /// These rooms have caught up, and their client knows.
    pub(in crate::session) fn confirm(&mut self, rooms: &[RoomId]) {
        for room in rooms {
            if let Some(joined) = self.joined.get_mut(room) {
                joined.is_behind = false;
                self.is_changed = true;
            }
        }
    }

    /// What the connection leaves behind has changed.
    pub(in crate::session) fn changed(&mut self) {
        self.is_changed = true;
    }

    /// Whether a room came or went, or has caught up, since the last call.
    pub(in crate::session) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.is_changed)
    }

    /// What the connection leaves behind of its rooms, and whether the user is listed.
    pub(in crate::session) fn kept(&self, dialects: &Dialects) -> (Vec<KeptRoom>, bool) {
        let Some(trail) = &self.trail else { return (Vec::new(), false) };
        let kept = |(room, joined): (&RoomId, &Joined)| {
            Some(KeptRoom {
                room: room.clone(),
                dialect: dialects.get(joined.dialect).name().to_string(),
                is_seated: joined.is_seated,
                place: trail.place(room)?,
                is_behind: joined.is_behind,
            })
        };
        (self.joined.iter().filter_map(kept).collect(), self.is_listed)
    }

    /// A topic is live: its client has got all that it missed, as soon as it says so.
    pub(super) fn has_caught_up(&self, topic: &Topic) {
        let (Topic::Room(room), Some(trail)) = (topic, &self.trail) else { return };
        if self.joined.get(room).is_some_and(|it| it.is_behind) {
            trail.caught_up(room);
        }
    }
}
