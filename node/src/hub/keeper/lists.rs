//! Lists of users, and news of rooms for members who are elsewhere.

use tokio::time::Instant;
use uuid::Uuid;

use crate::clock;
use crate::domain::id::RoomId;
use crate::domain::news::{Happened, News};
use crate::domain::notice::Notice;
use crate::domain::presence::{DEVICES_MAX, Device, Shown, Status};
use crate::domain::topic::Topic;
use crate::hub::fanout::{Cause, Manner, Spelling};
use crate::hub::keeper::{Done, Keeper, voice};
use crate::hub::outbox::Once;
use crate::store::StoreError;

impl Keeper {
    /// Reads the list of who is online, if it is to be told: however many have come and gone, it
    /// is one read a second.
    pub(super) fn read_list(&mut self, now: Instant) {
        let is_watched = self.watched.contains_key(&Topic::Room(RoomId::lobby()));
        if self.upkeep.take_list(now) && is_watched {
            let store = self.store.clone();
            self.calls.push(Box::pin(async move { Done::Listed(store.listed().await) }));
        }
    }

    pub(super) fn listed(&mut self, result: Result<Vec<Shown>, StoreError>) {
        let mut users = match result {
            Ok(users) => users,
            Err(error) => {
                tracing::debug!(%error, "the list of who is online was not read, trying again");
                return self.upkeep.listed();
            }
        };
        self.upkeep.list_read(users.iter().map(|it| it.user.id.clone()).collect());
        users.retain(|it| it.status != Status::Offline);
        let voice = voice(&self.dialects, &self.life, &self.metrics);
        if let Some(watched) = self.watched.get_mut(&Topic::Room(RoomId::lobby())) {
            let notice = Notice::Listed { users, at: clock::now() };
            watched.tell_all(notice, (Cause::Nobody, Manner::Always), &voice);
        }
    }

    /// Tells who is in a room to those of its clients who want to know.
    pub(super) fn tell_room_lists(&mut self, now: Instant) {
        let voice = voice(&self.dialects, &self.life, &self.metrics);
        for topic in self.upkeep.due_lists(now) {
            let Some(watched) = self.watched.get_mut(&topic) else { continue };
            watched.list_told = Some(now);
            watched.tell_list(clock::now(), &voice);
        }
    }

    /// Tells whoever asks which connections of a user this node has.
    pub(super) fn tell_devices(&mut self, topic: &Topic, question: Uuid) {
        let node = *self.life.borrow();
        let listeners = self.watched.get(topic).map(|it| it.listeners(DEVICES_MAX));
        let devices = listeners.into_iter().flatten().map(|(conn, dialects, since)| {
            let dialects = dialects.iter().map(|it| self.dialects.get(it).name().to_string());
            Device { node, conn, dialects: dialects.collect(), since }
        });
        let (store, devices) = (self.store.clone(), devices.collect::<Vec<_>>());
        self.calls
            .push(Box::pin(async move { Done::Answered(store.answer(question, &devices).await) }));
    }

    /// Tells a room's news to those members whose topics are this keeper's.
    pub(super) fn news(&mut self, news: &News) {
        let (room, at) = (news.room.clone(), news.at);
        let (notice, manner) = match news.what {
            Happened::Posted => (Notice::News { room: room.clone(), at }, Manner::Always),
            Happened::Closed => {
                let once = Once::closing(&room, at);
                (Notice::Ended { room: room.clone(), at }, Manner::Same(once))
            }
        };
        let mut spelled = [Spelling::new(notice), Spelling::new(Notice::Raised { room, at })];
        let manners = [manner, Manner::Always];
        let voice = voice(&self.dialects, &self.life, &self.metrics);
        let concerned = [&news.members, &news.agents];
        for ((users, spelling), manner) in concerned.into_iter().zip(&mut spelled).zip(manners) {
            for user in users {
                if let Some(watched) = self.watched.get_mut(&Topic::User(user.clone())) {
                    watched.tell_spelled(spelling, (Cause::Nobody, manner), &voice);
                }
            }
        }
    }
}
