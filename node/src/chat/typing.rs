//! Who types: starts are gathered per room, so that a room full of typists is one signal each 300 ms
//! and node; stops are told at once, each after its start.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::domain::event::Origin;
use crate::domain::id::RoomId;
use crate::domain::role::Participant;
use crate::domain::signal::Signal;
use crate::domain::topic::Topic;
use crate::lifecycle::Lifecycle;
use crate::store::Store;

/// A room hears of new typists at most so often from one node; of the first one at once.
const GATHER: Duration = Duration::from_millis(300);

/// Starts and stops that may wait for the task. A start that does not fit is dropped; a stop that
/// does not fit is told past the task.
const WAITING_MAX: usize = 4096;

/// Starts of one room that are gathered; more people than that cannot be shown as typing.
const STARTS_MAX: usize = 100;

/// Somebody types, or has stopped.
#[derive(Debug)]
struct Word {
    room: RoomId,
    user: Participant,
    origin: Origin,
    active: bool,
}

/// Takes starts and stops. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Typing {
    store: Store,
    words: mpsc::Sender<Word>,
}

impl Typing {
    /// Starts the task.
    pub(super) fn start(store: &Store, lifecycle: &Lifecycle) -> Self {
        let (sender, words) = mpsc::channel(WAITING_MAX);
        lifecycle.spawn("typing", gather(store.clone(), words));
        Self { store: store.clone(), words: sender }
    }

    /// Tells a room that somebody types, or has stopped.
    pub(super) fn tell(&self, room: RoomId, user: Participant, origin: Origin, active: bool) {
        let Err(full) = self.words.try_send(Word { room, user, origin, active }) else { return };
        let word = full.into_inner();
        if !word.active {
            self.store.signal(Topic::Room(word.room), Signal::Stopped { user: word.user.id });
        }
    }
}

async fn gather(store: Store, mut words: mpsc::Receiver<Word>) {
    let mut gathered = Gathered::default();
    loop {
        let due = gathered.windows.front().map(|(at, _)| *at);
        let told = tokio::select! {
            word = words.recv() => match word {
                Some(word) => gathered.take(word, Instant::now()),
                None => return,
            },
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                gathered.due(Instant::now())
            }
        };
        for (room, signal) in told {
            store.signal(Topic::Room(room), signal);
        }
    }
}

/// What waits to be told.
#[derive(Debug, Default)]
struct Gathered {
    /// Starts since the room was told last; a room that is here was told less than [`GATHER`] ago.
    starts: HashMap<RoomId, Vec<(Participant, Origin)>>,
    /// When rooms may be told again, in order.
    windows: VecDeque<(Instant, RoomId)>,
}

impl Gathered {
    /// What is to be told at once.
    fn take(&mut self, word: Word, now: Instant) -> Vec<(RoomId, Signal)> {
        let Word { room, user, origin, active } = word;
        let waiting = self.starts.get_mut(&room);
        match (active, waiting) {
            (true, Some(starts)) => {
                if starts.len() < STARTS_MAX {
                    starts.push((user, origin));
                }
                Vec::new()
            }
            (true, None) => {
                self.starts.insert(room.clone(), Vec::new());
                self.windows.push_back((now + GATHER, room.clone()));
                vec![(room, Signal::Typing { typists: vec![(user, origin)] })]
            }
            (false, waiting) => {
                // A start that still waits is told before its stop.
                let is_waiting = |it: &&mut Vec<(Participant, Origin)>| {
                    it.iter().any(|(typist, _)| typist.id == user.id)
                };
                let starts = waiting.filter(is_waiting).map(std::mem::take);
                let starts = starts.map(|typists| (room.clone(), Signal::Typing { typists }));
                starts.into_iter().chain([(room, Signal::Stopped { user: user.id })]).collect()
            }
        }
    }

    /// What has been gathered for long enough at `now`.
    fn due(&mut self, now: Instant) -> Vec<(RoomId, Signal)> {
        let mut told = Vec::new();
        while self.windows.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, room)) = self.windows.pop_front() else { break };
            let typists = self.starts.remove(&room).unwrap_or_default();
            if !typists.is_empty() {
                self.starts.insert(room.clone(), Vec::new());
                self.windows.push_back((now + GATHER, room.clone()));
                told.push((room, Signal::Typing { typists }));
            }
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{ConnId, NodeLife, UserId};
    use crate::domain::role::Role;

    fn word(user: &str, active: bool) -> Word {
        let id = UserId::parse(user).unwrap();
        Word {
            room: RoomId::parse("r").unwrap(),
            user: Participant { id, name: user.to_owned(), role: Role::User, full_name: None },
            origin: Origin {
                node: NodeLife { index: 0, incarnation: 1 },
                conn: ConnId(1),
                request: None,
                trace: None,
            },
            active,
        }
    }

    fn shown(told: &[(RoomId, Signal)]) -> String {
        let shown = told.iter().map(|(_, signal)| {
            if let Signal::Typing { typists } = signal {
                let names: Vec<&str> = typists.iter().map(|(user, _)| &*user.name).collect();
                return format!("+{}", names.join("+"));
            }
            let Signal::Stopped { user } = signal else { panic!("{signal:?}") };
            format!("-{user}")
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[tokio::test(start_paused = true)]
    async fn starts_are_gathered_after_the_first_and_a_stop_follows_its_start_at_once() {
        let mut gathered = Gathered::default();
        let now = Instant::now();
        let mut take = |user, active| shown(&gathered.take(word(user, active), now));
        assert_eq!(take("ann", true), "+ann");
        assert_eq!(take("bob", true), "");
        assert_eq!(take("eve", true), "");
        assert_eq!(take("ann", false), "-ann");
        assert_eq!(take("bob", false), "+bob+eve -bob");
        assert_eq!(take("kim", true), "");
        assert_eq!(shown(&gathered.due(now + GATHER / 2)), "");
        assert_eq!(shown(&gathered.due(now + GATHER)), "+kim");
        assert_eq!(shown(&gathered.due(now + 2 * GATHER)), "");
        assert!(gathered.starts.is_empty() && gathered.windows.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_typists_of_a_room_are_a_signal_each_gathering() {
        let mut gathered = Gathered::default();
        let (mut signals, mut typists) = (0, 0);
        // A thousand people begin within three seconds.
        for n in 0..1_000 {
            tokio::time::advance(Duration::from_millis(3)).await;
            let mut told = gathered.due(Instant::now());
            told.extend(gathered.take(word(&n.to_string(), true), Instant::now()));
            signals += told.len();
            typists += shown(&told).matches('+').count();
        }
        assert!((10..=11).contains(&signals), "{signals} signals");
        assert!(900 <= typists, "{typists} typists");
    }
}
