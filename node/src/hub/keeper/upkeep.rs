//! What a keeper does by the clock: silence of typists, receipts, leaving, re-assertion, look-ups.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use indexmap::{IndexMap, IndexSet};
use tokio::time::Instant;

use crate::domain::id::UserId;
use crate::domain::topic::Topic;
use crate::hub::keeper::{Done, Keeper};
use crate::store::Stamp;

/// A topic that nobody here listens to is left after so long: most listeners come back.
const UNWATCH_DELAY: Duration = Duration::from_secs(30);

/// How often each topic is asserted again, which heals whatever made this node deaf to it.
const REASSERT_EVERY: Duration = Duration::from_secs(60);

/// Pause before a failed comparison of heads is made again.
const RESYNC_PAUSE: Duration = Duration::from_millis(500);

/// The list of who is online is told at most so often.
const LIST_EVERY: Duration = Duration::from_secs(1);

/// Topics of one re-assertion, and users of one look-up.
const BATCH_MAX: usize = 500;

/// Rosters that are read again in one tick: a resync of many rooms is spread over some seconds.
const COUNTS_A_TICK: usize = 100;

/// Look-ups that may wait; one that does not fit is a status that is not told.
const LOOK_UPS_MAX: usize = 10_000;

/// Topics that nobody watches and whose frames came; one that does not fit will come again.
const STRAYS_MAX: usize = 10_000;

/// What is due.
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    resync_at: Option<Instant>,
    /// One comparison of heads at a time.
    is_comparing: bool,
    reassert: VecDeque<(Instant, Topic)>,
    emptied: VecDeque<(Instant, Topic)>,
    handed: IndexSet<Topic>,
    typing: IndexSet<Topic>,
    strays: IndexSet<Topic>,
    /// Rooms whose roster is to be read again.
    counts: IndexSet<Topic>,
    look_ups: VecDeque<(Topic, UserId)>,
    /// When the changed list of who is online is to be told.
    list_at: Option<Instant>,
    /// When it was told last.
    list_told: Option<Instant>,
    /// Who was on it then, or would have been but for their status.
    list_users: HashSet<UserId>,
    /// Rooms whose users have changed, and when those who want their list are to be told.
    room_lists: IndexMap<Topic, Instant>,
    /// One look-up at a time.
    is_looking: bool,
}

impl Upkeep {
    pub(super) fn want_resync(&mut self) {
        self.resync_at = Some(Instant::now());
    }

    pub(super) fn want_resync_later(&mut self) {
        self.resync_at.get_or_insert_with(|| Instant::now() + RESYNC_PAUSE);
    }

    pub(super) fn heads_answered(&mut self) {
        self.is_comparing = false;
    }

    pub(super) fn reassert_again(&mut self, topics: &[Topic]) {
        let at = Instant::now() + RESYNC_PAUSE;
        for topic in topics.iter().rev() {
            self.reassert.push_front((at, topic.clone()));
        }
    }

    pub(super) fn watched(&mut self, topic: &Topic) {
        self.reassert.push_back((Instant::now() + REASSERT_EVERY, topic.clone()));
    }

    pub(super) fn emptied(&mut self, topic: &Topic) {
        self.emptied.push_back((Instant::now() + UNWATCH_DELAY, topic.clone()));
    }

    pub(super) fn handed(&mut self, topic: &Topic) {
        self.handed.insert(topic.clone());
    }

    pub(super) fn count(&mut self, topic: &Topic) {
        self.counts.insert(topic.clone());
    }

    pub(super) fn typing(&mut self, topic: &Topic) {
        self.typing.insert(topic.clone());
    }

    /// A user's status has changed, which concerns the list if the user is on it.
    pub(super) fn list_presence(&mut self, user: &UserId) {
        if self.list_users.contains(user) {
            self.listed();
        }
    }

    /// These are on the list of who is online.
    pub(super) fn list_read(&mut self, users: HashSet<UserId>) {
        self.list_users = users;
    }

    /// The users of a room have changed, whose list was told last at `told`.
    pub(super) fn room_listed(&mut self, topic: &Topic, told: Option<Instant>) {
        let at = told.map_or_else(Instant::now, |told| told + LIST_EVERY);
        self.room_lists.entry(topic.clone()).or_insert(at);
    }

    /// The rooms whose lists are to be told at `now`.
    pub(super) fn due_lists(&mut self, now: Instant) -> Vec<Topic> {
        let due = self.room_lists.iter().filter(|(_, at)| **at <= now);
        let due: Vec<Topic> = due.map(|(topic, _)| topic.clone()).collect();
        self.room_lists.retain(|_, at| now < *at);
        due
    }

    /// Whether the list of who is online is to be told at `now`; then it is no more.
    pub(super) fn take_list(&mut self, now: Instant) -> bool {
        let is_due = self.list_at.is_some_and(|at| at <= now);
        if is_due {
            self.list_at = None;
            self.list_told = Some(now);
        }
        is_due
    }

    /// The list of who is online has changed.
    pub(super) fn listed(&mut self) {
        let told = self.list_told;
        self.list_at
            .get_or_insert_with(|| told.map_or_else(Instant::now, |told| told + LIST_EVERY));
    }

    pub(super) fn stray(&mut self, topic: Topic) {
        if self.strays.len() < STRAYS_MAX {
            self.strays.insert(topic);
        }
    }

    pub(super) fn look_up(&mut self, topic: &Topic, user: &UserId) {
        if self.look_ups.len() < LOOK_UPS_MAX {
            self.look_ups.push_back((topic.clone(), user.clone()));
        }
    }

    pub(super) fn looked(&mut self) {
        self.is_looking = false;
    }

    pub(super) fn look_up_again(&mut self, asked: Vec<(Topic, UserId)>) {
        for (topic, user) in asked.into_iter().rev() {
            self.look_ups.push_front((topic, user));
        }
    }

    fn take_due(queue: &mut VecDeque<(Instant, Topic)>, now: Instant) -> Option<Topic> {
        if queue.front().is_some_and(|(at, _)| *at <= now) {
            return queue.pop_front().map(|(_, topic)| topic);
        }
        None
    }
}

impl Keeper {
    /// Everything that is due. Called a few times a second.
    pub(super) fn tick(&mut self) {
        let now = Instant::now();
        self.hush(now);
        self.read_list(now);
        self.tell_room_lists(now);
        self.report_handed();
        self.unwatch(now);
        self.compare_heads(now);
        self.count_again();
        self.look_up();
    }

    /// The node has a new life: Redis knows none of its topics.
    pub(super) fn reassert_all(&mut self) {
        let now = Instant::now();
        let mut topics: Vec<_> = self.watched.keys().cloned().collect();
        topics.sort_unstable();
        self.upkeep.reassert = topics.into_iter().map(|topic| (now, topic)).collect();
        self.compare_heads(now);
    }

    /// Something may have been missed: compares the heads of all rooms.
    pub(super) fn resync_now(&mut self) {
        self.upkeep.want_resync();
        self.compare_heads(Instant::now());
    }

    /// Asks for the statuses of those who came in, unless a look-up is under way.
    pub(super) fn look_up(&mut self) {
        if self.upkeep.is_looking || self.upkeep.look_ups.is_empty() {
            return;
        }
        self.upkeep.is_looking = true;
        let count = self.upkeep.look_ups.len().min(BATCH_MAX);
        let asked: Vec<_> = self.upkeep.look_ups.drain(..count).collect();
        let store = self.store.clone();
        self.calls.push(Box::pin(async move {
            let users: Vec<_> = asked.iter().map(|(_, user)| user.clone()).collect();
            let presences = store.presence(&users).await;
            Done::Looked(asked, presences)
        }));
    }

    fn hush(&mut self, now: Instant) {
        for topic in std::mem::take(&mut self.upkeep.typing) {
            let Some(watched) = self.watched.get(&topic) else { continue };
            for user in watched.typists.silent(now) {
                self.stop_typing(&topic, &user);
            }
            if self.watched.get(&topic).is_some_and(|it| !it.typists.is_empty()) {
                self.upkeep.typing.insert(topic);
            }
        }
    }

    fn report_handed(&mut self) {
        for topic in std::mem::take(&mut self.upkeep.handed) {
            let Topic::Room(room) = &topic else { continue };
            let handed = self.watched.get_mut(&topic).and_then(|it| it.take_handed(room));
            if let Some(handed) = handed {
                // A report that does not fit is a receipt that is not told: receipts may be lost.
                self.handed.try_send(handed).ok();
            }
        }
    }

    fn unwatch(&mut self, now: Instant) {
        let mut left: Vec<(Topic, Stamp)> = Vec::new();
        while let Some(topic) = Upkeep::take_due(&mut self.upkeep.emptied, now) {
            let is_unused = self
                .watched
                .get(&topic)
                .and_then(|it| it.empty_since)
                .is_some_and(|since| since + UNWATCH_DELAY <= now);
            if is_unused && let Some(watched) = self.watched.remove(&topic) {
                for user in watched.roster.users() {
                    self.unsee(&topic, user);
                }
                left.push((topic, self.next_stamp()));
            }
        }
        for topic in std::mem::take(&mut self.upkeep.strays) {
            if !self.watched.contains_key(&topic) && !self.joining.contains_key(&topic) {
                left.push((topic, self.next_stamp()));
            }
        }
        if !left.is_empty() {
            let store = self.store.clone();
            self.calls.push(Box::pin(async move { Done::Left(store.leave(&left).await) }));
        }
    }

    fn compare_heads(&mut self, now: Instant) {
        if self.upkeep.is_comparing {
            return;
        }
        if self.upkeep.resync_at.is_some_and(|at| at <= now) {
            self.upkeep.resync_at = None;
            let mut topics: Vec<_> = self.watched.keys().cloned().collect();
            topics.retain(|topic| matches!(topic, Topic::Room(_)));
            if !topics.is_empty() {
                topics.sort_unstable();
                self.upkeep.counts.extend(topics.iter().cloned());
                return self.resync(topics);
            }
        }
        let mut due = Vec::new();
        while due.len() < BATCH_MAX
            && let Some(topic) = Upkeep::take_due(&mut self.upkeep.reassert, now)
        {
            if let Some(watched) = self.watched.get_mut(&topic) {
                watched.rest();
                due.push((topic.clone(), watched.stamp));
                self.upkeep.watched(&topic);
            }
        }
        if !due.is_empty() {
            self.reassert(due);
        }
    }

    /// Reads the rosters of some rooms in which presence may have been missed.
    fn count_again(&mut self) {
        for _ in 0..COUNTS_A_TICK {
            let Some(topic) = self.upkeep.counts.pop() else { return };
            let Some(watched) = self.watched.get(&topic) else { continue };
            let (store, stamp) = (self.store.clone(), watched.stamp);
            let moves = watched.roster.moves();
            self.calls.push(Box::pin(async move {
                let joined = store.join(&topic, stamp).await;
                Done::Counted(topic, moves, joined)
            }));
        }
    }

    fn resync(&mut self, topics: Vec<Topic>) {
        self.upkeep.is_comparing = true;
        let store = self.store.clone();
        self.calls.push(Box::pin(async move {
            let heads = store.resync(&topics).await;
            Done::Heads(topics, heads)
        }));
    }

    fn reassert(&mut self, due: Vec<(Topic, Stamp)>) {
        self.upkeep.is_comparing = true;
        let store = self.store.clone();
        self.calls.push(Box::pin(async move {
            let heads = store.reassert(&due).await;
            Done::Heads(due.into_iter().map(|(topic, _)| topic).collect(), heads)
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::RoomId;

    #[tokio::test(start_paused = true)]
    async fn a_thousand_changes_of_a_list_are_one_push_a_second() {
        let mut upkeep = Upkeep::default();
        let room = Topic::Room(RoomId::parse("r").unwrap());
        let (mut pushes, mut room_pushes, mut told) = (0, 0, None);
        // A thousand users come within three seconds; the keeper ticks after each.
        for _ in 0..1_000 {
            tokio::time::advance(Duration::from_millis(3)).await;
            upkeep.listed();
            upkeep.room_listed(&room, told);
            let now = Instant::now();
            pushes += usize::from(upkeep.take_list(now));
            for _ in upkeep.due_lists(now) {
                room_pushes += 1;
                told = Some(now);
            }
        }
        assert_eq!((pushes, room_pushes), (3, 3));
    }
}
