//! Who is connected to this node and in which rooms, and what of that Redis knows.
//!
//! Behind a mutex: every method is short and none waits. Only the first and the last
//! connection of a user on this node concern Redis; the registrar takes the difference between
//! what is and what Redis knows, and carries it there in batches. So nothing queues: what changes
//! twice before it was told is told once.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::domain::id::{RoomId, UserId};
use crate::domain::role::Participant;
use crate::hub::LocalFigures;

/// How long a user whose last connection broke still counts as there: a page reload is no
/// departure.
pub const GRACE: Duration = Duration::from_secs(5);

/// Changes that the registrar takes at once: what one script call takes.
pub(crate) const BATCH_MAX: usize = 500;

/// Why a user leaves a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// The client said so.
    Meant,
    /// The connection ended; it may come back within [`GRACE`].
    Cut,
}

/// What is counted: a user's connections, or a user's connections in a room.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Key {
    User(UserId),
    Seat(RoomId, UserId),
}

/// Whether Redis knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    No,
    /// A call failed, and may have been carried out all the same.
    Perhaps,
    Yes,
}

#[derive(Debug)]
struct Local {
    user: Participant,
    connections: u32,
    known: Known,
    /// On how many nodes the user has connections (of users only).
    nodes: u32,
    /// When the last connection's absence is to be told.
    gone_at: Instant,
}

#[derive(Debug, Default)]
struct State {
    local: HashMap<Key, Local>,
    /// Seats taken per room.
    rooms: HashMap<RoomId, u32>,
    /// Keys whose registration may differ from the truth.
    unsettled: BTreeSet<Key>,
    /// Users who have said that they are still there.
    seen: BTreeSet<UserId>,
    /// Keys whose grace ends, in order.
    graces: VecDeque<(Instant, Key)>,
    connections: u64,
    /// Users with a connection.
    users: u64,
}

/// Who is here.
#[derive(Debug, Default)]
pub struct Directory {
    state: Mutex<State>,
    changed: Notify,
    settled: Notify,
}

/// Changes to be carried to Redis; at most [`BATCH_MAX`] in all.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) up: Vec<UserId>,
    pub(crate) enter: Vec<(RoomId, Participant)>,
    pub(crate) down: Vec<UserId>,
    pub(crate) exit: Vec<(RoomId, UserId)>,
}

impl Changes {
    /// Whether nothing is to be told.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn len(&self) -> usize {
        self.up.len() + self.enter.len() + self.down.len() + self.exit.len()
    }
}

impl Directory {
    /// A connection of `user` is open.
    pub fn connect(&self, user: &Participant) {
        let mut state = self.lock();
        state.connections += 1;
        if state.add(Key::User(user.id.clone()), user) {
            state.users += 1;
        }
        drop(state);
        self.changed.notify_one();
    }

    /// A connection of `user` has ended.
    pub fn disconnect(&self, user: &UserId) {
        let mut state = self.lock();
        state.connections = state.connections.saturating_sub(1);
        if state.remove(&Key::User(user.clone()), Departure::Cut) {
            state.users -= 1;
        }
        drop(state);
        self.changed.notify_one();
    }

    /// A connection of `user` is in `room` now.
    pub fn enter(&self, room: &RoomId, user: &Participant) {
        let mut state = self.lock();
        if state.add(Key::Seat(room.clone(), user.id.clone()), user) {
            *state.rooms.entry(room.clone()).or_default() += 1;
        }
        drop(state);
        self.changed.notify_one();
    }

    /// A connection of `user` is in `room` no more.
    pub fn leave(&self, room: &RoomId, user: &UserId, departure: Departure) {
        let mut state = self.lock();
        if state.remove(&Key::Seat(room.clone(), user.clone()), departure)
            && let Some(seats) = state.rooms.get_mut(room)
        {
            *seats -= 1;
            if *seats == 0 {
                state.rooms.remove(room);
            }
        }
        drop(state);
        self.changed.notify_one();
    }

    /// The user has said that it is still there: Redis is told within a second, together with all
    /// others of this node.
    pub fn saw(&self, user: &UserId) {
        self.lock().seen.insert(user.clone());
    }

    /// Those who have said so since the last call; at most [`BATCH_MAX`], the rest the next time.
    pub(crate) fn take_seen(&self) -> Vec<UserId> {
        let mut state = self.lock();
        std::iter::from_fn(|| state.seen.pop_first()).take(BATCH_MAX).collect()
    }

    /// The user has connections on `nodes` nodes.
    pub fn spread(&self, user: &UserId, nodes: u32) {
        if let Some(local) = self.lock().local.get_mut(&Key::User(user.clone())) {
            local.nodes = nodes;
        }
    }

    /// Whether the user has connections on other nodes too, so limits are counted in Redis.
    #[must_use]
    pub fn is_spread(&self, user: &UserId) -> bool {
        self.lock().local.get(&Key::User(user.clone())).is_some_and(|it| 1 < it.nodes)
    }

    /// Resolves when Redis knows that the user is connected here.
    pub async fn known(&self, user: &UserId) {
        let key = Key::User(user.clone());
        loop {
            let settled = self.settled.notified();
            if self.lock().local.get(&key).is_some_and(|it| it.known == Known::Yes) {
                return;
            }
            settled.await;
        }
    }

    /// What this node serves now.
    #[must_use]
    pub fn figures(&self) -> LocalFigures {
        let state = self.lock();
        LocalFigures {
            connections: state.connections,
            rooms: state.rooms.len() as u64,
            users: state.users,
        }
    }

    /// Resolves when something may have to be told.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// What Redis has to be told at `now`. With [`Self::settle`] or [`Self::retry`] the registrar
    /// says how it went; in between it takes nothing else.
    pub(crate) fn changes(&self, now: Instant) -> Changes {
        self.lock().changes(now)
    }

    /// When the next grace ends.
    pub(crate) fn next_grace(&self) -> Option<Instant> {
        self.lock().graces.front().map(|(at, _)| *at)
    }

    /// These changes are known to Redis.
    pub(crate) fn settle(&self, changes: &Changes) {
        let mut state = self.lock();
        for (key, known) in keys(changes) {
            state.learn(key, known);
        }
        drop(state);
        self.settled.notify_waiters();
    }

    /// These changes may not have reached Redis.
    pub(crate) fn retry(&self, changes: &Changes) {
        let mut state = self.lock();
        for (key, _) in keys(changes) {
            state.learn(key, Known::Perhaps);
        }
    }

    /// The node has a new life: Redis knows nobody of it.
    pub(crate) fn forget_registrations(&self) {
        let mut state = self.lock();
        let State { local, unsettled, .. } = &mut *state;
        #[expect(clippy::iter_over_hash_type, reason = "each key is treated alike")]
        for (key, local) in local {
            local.known = Known::No;
            unsettled.insert(key.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every method leaves the state whole before it could panic, so a poisoned lock is usable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keys(changes: &Changes) -> impl Iterator<Item = (Key, Known)> {
    let up = changes.up.iter().map(|user| (Key::User(user.clone()), Known::Yes));
    let down = changes.down.iter().map(|user| (Key::User(user.clone()), Known::No));
    let enter = changes.enter.iter().map(|(room, user)| (seat(room, &user.id), Known::Yes));
    let exit = changes.exit.iter().map(|(room, user)| (seat(room, user), Known::No));
    up.chain(down).chain(enter).chain(exit)
}

fn seat(room: &RoomId, user: &UserId) -> Key {
    Key::Seat(room.clone(), user.clone())
}

impl State {
    /// `true`: it is the first.
    fn add(&mut self, key: Key, user: &Participant) -> bool {
        let local = self.local.entry(key.clone()).or_insert_with(|| Local {
            user: user.clone(),
            connections: 0,
            known: Known::No,
            nodes: 1,
            gone_at: Instant::now(),
        });
        local.connections += 1;
        let is_first = local.connections == 1;
        if is_first {
            local.user = user.clone();
            self.unsettled.insert(key);
        }
        is_first
    }

    /// `true`: it was the last.
    fn remove(&mut self, key: &Key, departure: Departure) -> bool {
        let Some(local) = self.local.get_mut(key) else { return false };
        if local.connections == 0 {
            return false;
        }
        local.connections -= 1;
        if local.connections != 0 {
            return false;
        }
        local.gone_at = match departure {
            Departure::Meant => Instant::now(),
            Departure::Cut => Instant::now() + GRACE,
        };
        if departure == Departure::Cut {
            self.graces.push_back((local.gone_at, key.clone()));
        }
        self.unsettled.insert(key.clone());
        true
    }

    fn changes(&mut self, now: Instant) -> Changes {
        while self.graces.front().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, key)) = self.graces.pop_front() {
                self.unsettled.insert(key);
            }
        }
        let mut changes = Changes::default();
        while changes.len() < BATCH_MAX {
            let Some(key) = self.unsettled.pop_first() else { break };
            self.settle_one(key, now, &mut changes);
        }
        changes
    }

    fn settle_one(&mut self, key: Key, now: Instant, changes: &mut Changes) {
        let Some(local) = self.local.get(&key) else { return };
        match (local.connections != 0, local.known) {
            (true, Known::No | Known::Perhaps) => match key {
                Key::User(user) => changes.up.push(user),
                Key::Seat(room, _) => changes.enter.push((room, local.user.clone())),
            },
            (false, Known::Yes | Known::Perhaps) if local.gone_at <= now => match key {
                Key::User(user) => changes.down.push(user),
                Key::Seat(room, user) => changes.exit.push((room, user)),
            },
            (false, Known::No) => {
                self.local.remove(&key);
            }
            // Settled, or its grace brings it back.
            (true, Known::Yes) | (false, Known::Yes | Known::Perhaps) => (),
        }
    }

    fn learn(&mut self, key: Key, known: Known) {
        if let Some(local) = self.local.get_mut(&key) {
            local.known = known;
            self.unsettled.insert(key);
        }
    }
}

#[cfg(test)]
mod tests;
