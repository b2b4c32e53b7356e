//! What reaches a keeper from Redis: entries, signals, presence, and answers to its reads.

use crate::domain::event::Event;
use crate::domain::id::{RoomId, UserId};
use crate::domain::notice::Notice;
use crate::domain::presence::Presence;
use crate::domain::signal::Signal;
use crate::domain::topic::Topic;
use crate::hub::AttachError;
use crate::hub::fanout::{Cause, Manner, Spelling, cause_of};
use crate::hub::keeper::{Done, EARLY_MAX, Joining, Keeper, voice};
use crate::hub::outbox::Once;
use crate::hub::roster::{Change, ROSTER_USERS_MAX};
use crate::hub::tail::{Step, Tail};
use crate::hub::watched::Watched;
use crate::store::{Arrival, Head, Joined, Page, StoreError};

impl Keeper {
    pub(super) fn arrived(&mut self, batch: Vec<Arrival>) {
        for arrival in batch {
            self.take(arrival);
        }
        self.look_up();
    }

    fn take(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Presence(presence) => self.presence(&presence),
            Arrival::Signal(_, Signal::News(news)) => self.news(&news),
            Arrival::Entry(entry) => {
                let topic = Topic::Room(entry.room.clone());
                match self.watched.get_mut(&topic) {
                    Some(watched) => {
                        let step = watched.tail.arrive(entry);
                        self.act(&topic, &step);
                    }
                    None => self.early(topic, Arrival::Entry(entry)),
                }
            }
            Arrival::Signal(topic, signal) => {
                if self.watched.contains_key(&topic) {
                    self.signal(&topic, signal);
                } else {
                    self.early(topic.clone(), Arrival::Signal(topic, signal));
                }
            }
        }
    }

    /// A frame overtook the answer of the topic's join, or nobody here watches the topic.
    fn early(&mut self, topic: Topic, arrival: Arrival) {
        match self.joining.get_mut(&topic) {
            Some(joining) if joining.early.len() < EARLY_MAX => joining.early.push(arrival),
            // The log has it: a comparison of heads after the join brings it.
            Some(_) => self.upkeep.want_resync(),
            None => self.upkeep.stray(topic),
        }
    }

    /// Does what a tail decided.
    fn act(&mut self, topic: &Topic, step: &Step) {
        let Topic::Room(room) = topic else { return };
        let Some(watched) = self.watched.get_mut(topic) else { return };
        let voice = voice(&self.dialects, &self.life, &self.metrics);
        if let Some(position) = step.reset {
            watched.reset_all(room, position, &voice);
            self.metrics.repairs_reset.increment(1);
        }
        for entry in &step.deliver {
            watched.deliver(entry, &voice);
            match &entry.event {
                Event::RoomDeleted => {
                    watched.put_out();
                    self.upkeep.emptied(topic);
                }
                Event::AccessChanged { user } => watched.review(user.as_ref()),
                Event::MessageEdited { .. } | Event::MessageDeleted { .. } => watched.redact(entry),
                Event::MessagePosted(_)
                | Event::RoomUpdated { .. }
                | Event::RoomClosed { .. }
                | Event::RoomReopened
                | Event::Erased => (),
            }
        }
        if !step.deliver.is_empty() {
            self.upkeep.handed(topic);
        }
        if let Some(after) = step.repair_after {
            let (store, room, topic) = (self.store.clone(), room.clone(), topic.clone());
            self.calls.push(Box::pin(async move {
                let page = store.history(&room, after).await;
                Done::Repaired(topic, page)
            }));
        }
    }

    pub(super) fn repaired(&mut self, topic: &Topic, result: Result<Page, StoreError>) {
        let Some(watched) = self.watched.get_mut(topic) else { return };
        match result {
            Ok(page) => {
                let step = watched.tail.repaired(page);
                if !step.deliver.is_empty() {
                    self.metrics.repairs_filled.increment(1);
                }
                self.act(topic, &step);
            }
            Err(error) => {
                tracing::debug!(%error, %topic, "a repair could not be read, trying again");
                watched.tail.repair_failed();
                self.metrics.repairs_failed.increment(1);
                self.upkeep.want_resync_later();
            }
        }
    }

    pub(super) fn heads(
        &mut self,
        topics: &[Topic],
        result: Result<Vec<Option<Head>>, StoreError>,
    ) {
        self.upkeep.heads_answered();
        match result {
            Ok(heads) => {
                for (topic, head) in topics.iter().zip(heads) {
                    let watched = self.watched.get_mut(topic);
                    if let (Some(watched), Some(head)) = (watched, head) {
                        let step = watched.tail.head(head.position);
                        self.act(topic, &step);
                    }
                }
            }
            Err(error) => {
                tracing::debug!(%error, "heads could not be compared, trying again");
                self.upkeep.reassert_again(topics);
                self.upkeep.want_resync_later();
            }
        }
    }

    pub(super) fn joined(&mut self, topic: &Topic, result: Result<Option<Joined>, StoreError>) {
        let Some(Joining { stamp, waiting, early }) = self.joining.remove(topic) else { return };
        let error = match result {
            Ok(Some(joined)) => {
                let tail = Tail::new(joined.head.position, joined.newest);
                self.watched.insert(topic.clone(), Watched::new(tail, stamp));
                self.upkeep.watched(topic);
                for user in joined.roster {
                    self.signal(topic, Signal::Entered { user });
                }
                for arrival in early {
                    self.take(arrival);
                }
                if waiting.is_empty() {
                    self.upkeep.emptied(topic);
                }
                for attaching in waiting {
                    self.attach(topic.clone(), attaching);
                }
                return self.look_up();
            }
            Ok(None) => AttachError::NoSuchRoom,
            Err(error) => AttachError::Failed(error),
        };
        for attaching in waiting {
            attaching.reply.send(Err(error.clone())).ok();
        }
    }

    /// Compares a room's roster with what Redis counts: presence may have been missed, and unlike
    /// entries it leaves no hole that would show it.
    pub(super) fn counted(
        &mut self,
        topic: &Topic,
        moves: u64,
        result: Result<Option<Joined>, StoreError>,
    ) {
        let joined = match result {
            Ok(Some(joined)) => joined,
            Ok(None) => return,
            Err(error) => {
                tracing::debug!(%error, %topic, "a roster could not be read, trying again");
                return self.upkeep.count(topic);
            }
        };
        let Some(watched) = self.watched.get_mut(topic) else { return };
        if watched.roster.moves() != moves {
            // Somebody came or went meanwhile, and may be missing from the list by that alone.
            return self.upkeep.count(topic);
        }
        // A list at its bound is a part only: nothing follows from who is not on it.
        if joined.roster.len() < ROSTER_USERS_MAX {
            for user in watched.roster.missing(&joined.roster) {
                self.signal(topic, Signal::Left { user });
            }
        }
        for user in joined.roster {
            // Also of those who are listed: a change of status may have been missed.
            self.upkeep.look_up(topic, &user.id);
            self.signal(topic, Signal::Entered { user });
        }
        self.look_up();
    }

    fn signal(&mut self, topic: &Topic, signal: Signal) {
        match topic {
            Topic::Room(_) => self.room_signal(topic, signal),
            Topic::User(user) => self.user_signal(topic, &user.clone(), signal),
        }
    }

    fn room_signal(&mut self, topic: &Topic, signal: Signal) {
        let Topic::Room(room) = topic else { return };
        if *room == RoomId::lobby() {
            // Its list is read when it is told, so nothing else is kept of it here.
            return self.upkeep.listed();
        }
        let Some(watched) = self.watched.get_mut(topic) else { return };
        let voice = voice(&self.dialects, &self.life, &self.metrics);
        match signal {
            Signal::Typing { typists } => {
                let now = tokio::time::Instant::now();
                for (user, origin) in typists {
                    let Some(typist) = watched.typists.start(user, origin, now) else { continue };
                    let cause = cause_of(&typist.origin);
                    let notice =
                        Notice::TypingStarted { room: room.clone(), user: typist.user.clone() };
                    watched.tell_all(notice, (cause, Manner::Droppable), &voice);
                }
                self.upkeep.typing(topic);
            }
            Signal::Stopped { user } => self.stop_typing(topic, &user),
            Signal::Raised { room, at, except } => {
                let mut spelling = Spelling::new(Notice::Raised { room, at });
                let told = (Cause::Nobody, Manner::Always);
                watched.tell_but(&except, &mut spelling, told, &voice);
            }
            Signal::Entered { user } => {
                if watched.roster.enter(user.clone()) {
                    self.seen.entry(user.id.clone()).or_default().insert(topic.clone());
                    self.upkeep.look_up(topic, &user.id);
                    self.upkeep.room_listed(topic, watched.list_told);
                    let cause = Cause::User(&user.id);
                    let notice = Notice::Entered { room: room.clone(), user: user.clone() };
                    watched.tell_all(notice, (cause, Manner::Always), &voice);
                }
            }
            Signal::Left { user } => {
                if let Some(user) = watched.roster.leave(&user) {
                    self.upkeep.room_listed(topic, watched.list_told);
                    let cause = Cause::User(&user.id);
                    let notice = Notice::Left { room: room.clone(), user: user.clone() };
                    watched.tell_all(notice, (cause, Manner::Always), &voice);
                }
                self.stop_typing(topic, &user);
            }
            // Signals of users reach users' topics only.
            // News reaches every keeper before it is asked for its topic.
            Signal::News(_)
            | Signal::Delivered { .. }
            | Signal::Read { .. }
            | Signal::Notification { .. }
            | Signal::Emitted { .. }
            | Signal::Disconnect
            | Signal::HandOver { .. }
            | Signal::Asked { .. }
            | Signal::Spread { .. } => (),
        }
    }

    /// Whoever heard the start hears the stop.
    pub(super) fn stop_typing(&mut self, topic: &Topic, user: &UserId) {
        let Topic::Room(room) = topic else { return };
        let Some(watched) = self.watched.get_mut(topic) else { return };
        if let Some(typist) = watched.typists.stop(user) {
            let voice = voice(&self.dialects, &self.life, &self.metrics);
            let cause = cause_of(&typist.origin);
            let notice = Notice::TypingStopped { room: room.clone(), user: typist.user };
            watched.tell_all(notice, (cause, Manner::Always), &voice);
        }
    }

    fn user_signal(&mut self, topic: &Topic, user: &UserId, signal: Signal) {
        let (manner, notices) = match signal {
            // Somebody who comes back makes many at once, in each room of the author's.
            Signal::Delivered { messages } => {
                let notice = |message| Notice::Delivered { message };
                (Manner::Later, messages.into_iter().map(notice).collect())
            }
            Signal::Read { reader, messages } => {
                let notice = |message| Notice::Read { message, reader: reader.clone() };
                (Manner::Later, messages.into_iter().map(notice).collect())
            }
            Signal::Notification { data } => (Manner::Always, vec![Notice::Notification { data }]),
            Signal::Emitted { event, data } => {
                (Manner::Always, vec![Notice::Emitted { event, data }])
            }
            Signal::Spread { nodes } => {
                self.directory.spread(user, nodes);
                return;
            }
            Signal::Asked { question } => return self.tell_devices(topic, question),
            Signal::Disconnect => {
                if let Some(watched) = self.watched.get(topic) {
                    watched.dismiss_all();
                }
                return;
            }
            Signal::HandOver { pid } => {
                if let Some(watched) = self.watched.get(topic) {
                    watched.hand_over(pid);
                }
                return;
            }
            // Signals of rooms reach rooms only.
            Signal::Typing { .. }
            | Signal::Stopped { .. }
            | Signal::News(_)
            | Signal::Raised { .. }
            | Signal::Entered { .. }
            | Signal::Left { .. } => return,
        };
        let Some(watched) = self.watched.get_mut(topic) else { return };
        let voice = voice(&self.dialects, &self.life, &self.metrics);
        for notice in notices {
            watched.tell_all(notice, (Cause::Nobody, manner), &voice);
        }
    }

    fn presence(&mut self, presence: &Presence) {
        self.upkeep.list_presence(&presence.user);
        let Some(topics) = self.seen.get(&presence.user) else { return };
        // Rooms in a fixed order, so that tests and users see the same.
        let mut topics: Vec<_> = topics.iter().cloned().collect();
        topics.sort_unstable();
        for topic in topics {
            self.presence_in(&topic, presence, false);
        }
    }

    pub(super) fn looked(
        &mut self,
        asked: Vec<(Topic, UserId)>,
        result: Result<Vec<Presence>, StoreError>,
    ) {
        self.upkeep.looked();
        match result {
            Ok(presences) => {
                for ((topic, _), presence) in asked.iter().zip(presences) {
                    self.presence_in(topic, &presence, true);
                }
            }
            Err(error) => {
                tracing::debug!(%error, "presence could not be read, trying again");
                self.upkeep.look_up_again(asked);
                return; // the next tick asks again
            }
        }
        self.look_up();
    }

    /// A user's presence as one room learns it; `has_entered`: because the user came in.
    fn presence_in(&mut self, topic: &Topic, presence: &Presence, has_entered: bool) {
        let Topic::Room(room) = topic else { return };
        let Some(watched) = self.watched.get_mut(topic) else { return };
        let change = watched.roster.status(presence, has_entered);
        if !watched.roster.lists(&presence.user) {
            self.unsee(topic, &presence.user);
        }
        let room = room.clone();
        let notice = match change {
            None => return,
            Some(Change::Online(user, status)) => Notice::UserOnline { room, user, status },
            Some(Change::Offline(user)) => Notice::UserOffline { room, user },
        };
        let manner = Manner::Once(Once::of(&presence.user, presence.version));
        let Some(watched) = self.watched.get_mut(topic) else { return };
        self.upkeep.room_listed(topic, watched.list_told);
        let voice = voice(&self.dialects, &self.life, &self.metrics);
        watched.tell_all(notice, (Cause::User(&presence.user), manner), &voice);
    }

    /// The user's changes no longer concern anybody in the topic.
    pub(super) fn unsee(&mut self, topic: &Topic, user: &UserId) {
        if let Some(topics) = self.seen.get_mut(user) {
            topics.remove(topic);
            if topics.is_empty() {
                self.seen.remove(user);
            }
        }
    }
}
