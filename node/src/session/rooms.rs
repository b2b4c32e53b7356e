//! Which topics a connection hears, and which of them are still catching up.
//!
//! Dropping it takes the user out of every room of the node's directory, so that also a connection
//! that ends by a panic leaves nobody behind who is not there.

pub(super) mod restored;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::dialect::{DialectId, DialectSet};
use crate::domain::id::{ConnId, MessageId, RoomId};
use crate::domain::position::Position;
use crate::domain::role::Participant;
use crate::domain::topic::Topic;
use crate::hub::directory::{Departure, Directory};
use crate::hub::fanout::Listener;
use crate::hub::outbox::Outbox;
use crate::hub::{Attached, Progress};
use crate::session::trail::Trail;

/// How often a start of typing is told again while it lasts.
const TYPING_REPEAT: Duration = Duration::from_secs(3);

/// Pause before a page that could not be read is asked for again.
const PULL_PAUSE: Duration = Duration::from_millis(500);

#[derive(Debug)]
struct Joined {
    dialect: DialectId,
    /// The user is in the room for others too, and does not only hear it.
    is_seated: bool,
    /// When the room was last told that the user types; `None`: does not type.
    typing_told: Option<Instant>,
    /// Where an earlier connection left off. All that follows is told over this one.
    restored_at: Option<Position>,
    /// It has not been taken up since.
    is_awaited: bool,
    /// It is catching up, as far as its client has confirmed.
    is_behind: bool,
}

impl Joined {
    fn new(dialect: DialectId) -> Self {
        Self {
            dialect,
            is_seated: false,
            typing_told: None,
            restored_at: None,
            is_awaited: false,
            is_behind: false,
        }
    }
}

/// A topic to be asked for its next page.
#[derive(Debug)]
pub(super) struct Pull {
    at: Instant,
    pub(super) topic: Topic,
    /// The user was let in just now, so it need not be asked again.
    pub(super) is_admitted: bool,
}

/// The rooms of one connection.
#[derive(Debug)]
pub(super) struct Rooms {
    conn: ConnId,
    /// The first of the connections that this one has taken up, or itself.
    origin: ConnId,
    directory: Arc<Directory>,
    user: Option<Participant>,
    /// The directory counts this connection.
    is_counted: bool,
    /// The user is listed as online through this connection.
    is_listed: bool,
    user_topic: Option<(Topic, DialectSet)>,
    /// The dialect that tells the lists of its rooms' users, once they are asked for.
    lists: Option<DialectId>,
    joined: BTreeMap<RoomId, Joined>,
    /// Topics that have something for this connection, in the order in which they may be asked.
    pulls: VecDeque<Pull>,
    /// What is written of the rooms; `None`: nobody wants to know.
    trail: Option<Arc<Trail>>,
    /// A room came or went, or has caught up, since somebody asked.
    is_changed: bool,
}

impl Rooms {
    pub(super) fn new(conn: ConnId, directory: Arc<Directory>) -> Self {
        let joined = BTreeMap::new();
        Self {
            conn,
            origin: conn,
            directory,
            user: None,
            is_counted: false,
            is_listed: false,
            user_topic: None,
            lists: None,
            joined,
            pulls: VecDeque::new(),
            trail: None,
            is_changed: false,
        }
    }

    /// What is written of the rooms from now on is of interest.
    pub(super) fn follow(&mut self, trail: Arc<Trail>) {
        self.trail = Some(trail);
    }

    /// The connection's user is known. Once the user's own topic is heard, the user counts as
    /// connected: what Redis then tells about the user is heard here.
    pub(super) fn connect(&mut self, user: &Participant, dialects: DialectSet) {
        let topic = Topic::User(user.id.clone());
        self.user = Some(user.clone());
        self.pull_later(topic.clone(), Duration::ZERO, true);
        self.user_topic = Some((topic, dialects));
    }

    /// The user's own topic is heard in these dialects from now on. Answers it.
    pub(super) fn speak(&mut self, dialects: DialectSet) -> Option<Topic> {
        let (topic, heard_in) = self.user_topic.as_mut()?;
        *heard_in = dialects;
        Some(topic.clone())
    }

    /// The lists of its rooms' users are told in this dialect from now on, also of rooms that are
    /// joined later. Answers the rooms that it is in already.
    pub(super) fn want_lists(&mut self, dialect: DialectId) -> Vec<RoomId> {
        self.lists = Some(dialect);
        self.is_changed = true;
        let joined = self.joined.iter().filter(|(_, it)| it.is_seated && it.dialect == dialect);
        joined.map(|(room, _)| room.clone()).collect()
    }

    /// The user's own topic is heard.
    pub(super) fn hears_user(&mut self) {
        if let (Some(user), false) = (&self.user, self.is_counted) {
            self.directory.connect(user);
            self.is_counted = true;
        }
    }

    /// The listener of a topic of this connection.
    pub(super) fn listener(&self, dialects: DialectSet, outbox: &Outbox) -> Option<Listener> {
        let user = self.user.as_ref()?.id.clone();
        let is_listing = self.lists.is_some_and(|it| dialects.contains(it));
        let (conn, origin, outbox) = (self.conn, self.origin, outbox.clone());
        Some(Listener { conn, origin, user, dialects, is_listing, outbox })
    }

    /// The dialects of the user's own topic, if `topic` is it.
    pub(super) fn user_dialects(&self, topic: &Topic) -> Option<DialectSet> {
        self.user_topic.as_ref().filter(|(it, _)| it == topic).map(|(_, dialects)| *dialects)
    }

    /// How many rooms the connection has joined.
    pub(super) fn len(&self) -> usize {
        self.joined.values().filter(|it| it.is_seated).count()
    }

    pub(super) fn has(&self, room: &RoomId) -> bool {
        self.joined.contains_key(room)
    }

    /// The joined room that a message is in.
    pub(super) fn room_of(&self, message: MessageId) -> Option<&RoomId> {
        self.joined.keys().find(|room| message.is_in(room))
    }

    /// The connection is in the room now, and pulls from it: it was attached there after `since`,
    /// or, where that was nothing, from now on or as it was. `is_admitted`: nothing has happened
    /// there since the user was let in.
    pub(super) fn enter(
        &mut self,
        (room, dialect): (&RoomId, DialectId),
        since: Option<Position>,
        attached: Attached,
        is_admitted: bool,
    ) {
        let Some(user) = &self.user else { return };
        let is_as_it_was = since.is_none() && self.dialect_of(room) == Some(dialect);
        let joined = self.joined.entry(room.clone()).or_insert_with(|| Joined::new(dialect));
        (joined.dialect, joined.typing_told, joined.is_awaited) = (dialect, None, false);
        if !std::mem::replace(&mut joined.is_seated, true) {
            self.directory.enter(room, user);
        }
        if !is_as_it_was {
            self.goes_on_after(room, since, attached);
        }
        self.pull_later(Topic::Room(room.clone()), Duration::ZERO, is_admitted);
    }

    /// The connection hears the room from now on, and nobody sees the user there.
    pub(super) fn hear(&mut self, room: &RoomId, dialect: DialectId, attached: Attached) {
        self.joined.insert(room.clone(), Joined::new(dialect));
        self.goes_on_after(room, None, attached);
        self.pull_later(Topic::Room(room.clone()), Duration::ZERO, true);
    }

    /// The room was attached after `since`, or, where that led nowhere, from now on.
    fn goes_on_after(&mut self, room: &RoomId, since: Option<Position>, attached: Attached) {
        let since = since.filter(|_| attached.resumed);
        if let Some(joined) = self.joined.get_mut(room) {
            joined.is_behind = 0 < attached.missed;
        }
        if let Some(trail) = &self.trail {
            trail.enter(room, since.unwrap_or(attached.position));
        }
        self.is_changed = true;
    }

    /// The connection is in the room no more; `false`: it was not.
    pub(super) fn exit(&mut self, room: &RoomId) -> bool {
        let (Some(user), Some(left)) = (&self.user, self.joined.remove(room)) else {
            return false;
        };
        if left.is_seated {
            self.directory.leave(room, &user.id, Departure::Meant);
        }
        self.pulls.retain(|it| !matches!(&it.topic, Topic::Room(it) if it == room));
        if let Some(trail) = &self.trail {
            trail.exit(room);
        }
        self.is_changed = true;
        true
    }

    /// The rooms that this dialect has joined, but for `room` and those that it hears anyway.
    pub(super) fn others(&self, room: &RoomId, dialect: DialectId) -> Vec<RoomId> {
        let others = self
            .joined
            .iter()
            .filter(|(id, it)| *id != room && it.dialect == dialect && it.is_seated);
        others.map(|(id, _)| id.clone()).collect()
    }

    /// All rooms in which the user is.
    pub(super) fn seats(&self) -> Vec<RoomId> {
        self.joined.iter().filter(|(_, it)| it.is_seated).map(|(id, _)| id.clone()).collect()
    }

    /// The user is listed as online through this connection, or is no more.
    pub(super) fn list(&mut self, is_listed: bool) {
        let Some(user) = &self.user else { return };
        match (self.is_listed, is_listed) {
            (false, true) => self.directory.enter(&RoomId::lobby(), user),
            (true, false) => {
                self.directory.leave(&RoomId::lobby(), &user.id, Departure::Meant);
            }
            (true, true) | (false, false) => (),
        }
        self.is_changed |= self.is_listed != is_listed;
        self.is_listed = is_listed;
    }

    /// The user's right to be here, or in some room, may have changed: each is entered anew.
    pub(super) fn review(&mut self) {
        if let Some((topic, _)) = &self.user_topic {
            self.pull_later(topic.clone(), Duration::ZERO, false);
        }
        let rooms: Vec<RoomId> = self.joined.keys().cloned().collect();
        for room in rooms {
            self.pull_later(Topic::Room(room), Duration::ZERO, false);
        }
    }

    /// Resolves when a topic may be asked for its next page: the outbox has room for it.
    pub(super) async fn may_pull(&self, outbox: &Outbox) {
        match self.pulls.front() {
            None => std::future::pending().await,
            Some(pull) => {
                tokio::time::sleep_until(pull.at).await;
                outbox.half_empty().await;
            }
        }
    }

    /// The topic to ask now. The caller says with [`Self::pulled`] what came of it.
    pub(super) fn next_pull(&mut self) -> Option<Pull> {
        self.pulls.pop_front()
    }

    /// The pull of the user's own topic, if it waits for its turn.
    pub(super) fn take_user_pull(&mut self) -> Option<Pull> {
        let at = self.pulls.iter().position(|it| matches!(it.topic, Topic::User(_)))?;
        self.pulls.remove(at)
    }

    /// What a pull came to: topics that have more take their turn again, so a long way back in
    /// one room does not hold up the others.
    pub(super) fn pulled(&mut self, topic: Topic, progress: Progress) {
        match progress {
            Progress::More => self.pull_later(topic, Duration::ZERO, false),
            Progress::Later => self.pull_later(topic, PULL_PAUSE, false),
            Progress::Live => self.has_caught_up(&topic),
            Progress::Gone => (),
        }
    }

    fn pull_later(&mut self, topic: Topic, pause: Duration, is_admitted: bool) {
        self.pulls.retain(|it| it.topic != topic);
        let pull = Pull { at: Instant::now() + pause, topic, is_admitted };
        let at = self.pulls.partition_point(|it| it.at <= pull.at);
        self.pulls.insert(at, pull);
    }

    /// Notes that the user types in a joined room; `true`: the room is to be told.
    pub(super) fn type_in(&mut self, room: &RoomId) -> bool {
        let Some(joined) = self.joined.get_mut(room) else { return false };
        let now = Instant::now();
        let is_news = joined.typing_told.is_none_or(|told| told + TYPING_REPEAT <= now);
        if is_news {
            joined.typing_told = Some(now);
        }
        is_news
    }

    /// Notes that the user has stopped typing; `true`: the room is to be told.
    pub(super) fn stop_typing(&mut self, room: &RoomId) -> bool {
        self.joined.get_mut(room).is_some_and(|it| it.typing_told.take().is_some())
    }

    /// The rooms in which the user types.
    pub(super) fn typing(&self) -> Vec<RoomId> {
        let typing = self.joined.iter().filter(|(_, it)| it.typing_told.is_some());
        typing.map(|(room, _)| room.clone()).collect()
    }

    /// The dialect that brought the connection into a room.
    pub(super) fn dialect_of(&self, room: &RoomId) -> Option<DialectId> {
        self.joined.get(room).map(|it| it.dialect)
    }

    /// All topics that are heard, for leaving them.
    pub(super) fn end(&self) -> Vec<Topic> {
        let rooms = self.joined.keys().cloned().map(Topic::Room);
        rooms.chain(self.user_topic.iter().map(|(topic, _)| topic.clone())).collect()
    }
}

impl Drop for Rooms {
    fn drop(&mut self) {
        if let Some(user) = &self.user {
            for room in self.seats() {
                self.directory.leave(&room, &user.id, Departure::Cut);
            }
            if self.is_listed {
                self.directory.leave(&RoomId::lobby(), &user.id, Departure::Cut);
            }
            if self.is_counted {
                self.directory.disconnect(&user.id);
            }
        }
    }
}
