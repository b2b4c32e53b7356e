//! What all clients of a run share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::dialect::{Dialect, Offer, Resume};
use crate::history::{Budget, Mid, RoomIndex, UserIndex};
use crate::meters::Meters;
use crate::wire::target::Target;
use crate::wire::token::Mint;

/// How a client comes back: the defaults of the official client.
const RECONNECT_FIRST: Duration = Duration::from_secs(1);
const RECONNECT_MAX: Duration = Duration::from_secs(5);

/// The common ground of a run.
#[derive(Debug)]
pub(crate) struct World {
    /// Tells this run's rooms, users and texts from those of other runs.
    pub(crate) run: u32,
    pub(crate) start: Instant,
    /// Clients are spread over these, and come back to any of them.
    pub(crate) targets: Vec<Target>,
    pub(crate) mint: Mint,
    pub(crate) dialect: Dialect,
    pub(crate) offer: Offer,
    pub(crate) resume: Resume,
    pub(crate) message_bytes: usize,
    /// The share of acknowledged messages that are sent once more, from 0 to 1.
    pub(crate) repeats: f64,
    pub(crate) rooms: Vec<Room>,
    room_numbers: HashMap<String, RoomIndex>,
    mids: AtomicU32,
    /// Messages that wait for an outcome.
    pub(crate) open_sends: AtomicU64,
    last_news_us: AtomicU64,
    /// Nothing that is due from here on is done any more.
    curfew_us: AtomicU64,
    pub(crate) meters: Meters,
    pub(crate) budget: Budget,
}

/// A room of the run.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) name: String,
    /// How many messages were acknowledged in it.
    pub(crate) acked: AtomicU64,
}

/// What a world is made of.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) run: u32,
    pub(crate) targets: Vec<Target>,
    pub(crate) mint: Mint,
    pub(crate) dialect: Dialect,
    pub(crate) offer: Offer,
    pub(crate) resume: Resume,
    pub(crate) message_bytes: usize,
    pub(crate) repeats: f64,
    pub(crate) rooms: RoomIndex,
}

impl World {
    /// The clock of the run starts now.
    pub(crate) fn new(settings: Settings) -> Self {
        let name = |index| format!("lt-{:08x}-{index}", settings.run);
        let rooms = (0..settings.rooms).map(|it| Room { name: name(it), acked: AtomicU64::new(0) });
        Self {
            run: settings.run,
            start: Instant::now(),
            targets: settings.targets,
            mint: settings.mint,
            dialect: settings.dialect,
            offer: settings.offer,
            resume: settings.resume,
            message_bytes: settings.message_bytes,
            repeats: settings.repeats,
            rooms: rooms.collect(),
            room_numbers: (0..settings.rooms).map(|it| (name(it), it)).collect(),
            mids: AtomicU32::new(0),
            open_sends: AtomicU64::new(0),
            last_news_us: AtomicU64::new(0),
            curfew_us: AtomicU64::new(u64::MAX),
            meters: Meters::new(),
            budget: Budget::default(),
        }
    }

    /// Time since the start.
    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// A new message's number.
    pub(crate) fn mint_mid(&self) -> Mid {
        self.mids.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn room(&self, index: RoomIndex) -> &Room {
        &self.rooms[index as usize]
    }

    /// The number of a room of this run.
    pub(crate) fn room_number(&self, name: &str) -> Option<RoomIndex> {
        self.room_numbers.get(name).copied()
    }

    pub(crate) fn user_name(&self, index: UserIndex) -> String {
        format!("lt-{:08x}-u{index}", self.run)
    }

    /// The number of a user of this run; `None`: another user.
    pub(crate) fn user_number(&self, name: &str) -> Option<UserIndex> {
        let (run, number) = name.strip_prefix("lt-")?.split_once("-u")?;
        let is_ours = u32::from_str_radix(run, 16).ok()? == self.run;
        number.parse().ok().filter(|_| is_ours)
    }

    /// One of the servers; any number names one.
    pub(crate) fn target(&self, number: usize) -> Target {
        self.targets[number % self.targets.len()]
    }

    /// Ends the load before its time; what is open is still brought to its end.
    pub(crate) fn call_off(&self) {
        self.curfew_us.fetch_min(micros(self.now()), Ordering::Relaxed);
    }

    /// From when on nothing new is done, if that is before the plan's own end.
    pub(crate) fn curfew(&self) -> Duration {
        Duration::from_micros(self.curfew_us.load(Ordering::Relaxed))
    }

    /// Something arrived that the run may have waited for.
    pub(crate) fn news(&self, at: Duration) {
        self.last_news_us.fetch_max(micros(at), Ordering::Relaxed);
    }

    /// How long nothing has arrived.
    pub(crate) fn quiet(&self) -> Duration {
        let last = Duration::from_micros(self.last_news_us.load(Ordering::Relaxed));
        self.now().saturating_sub(last)
    }
}

/// Whole microseconds.
pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The pause before the given attempt to come back, the first being 0: it doubles up to a bound,
/// and half of it either way is chance, so that a crowd spreads.
pub(crate) fn reconnect_pause(attempt: u32, chance: f64) -> Duration {
    let pause = RECONNECT_FIRST * 2_u32.saturating_pow(attempt.min(8));
    pause.min(RECONNECT_MAX).mul_f64(0.5 + chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_their_bound() {
        let pauses = [0, 1, 2, 3, 99].map(|it| reconnect_pause(it, 0.5).as_millis());
        assert_eq!(pauses, [1000, 2000, 4000, 5000, 5000]);
        assert_eq!(reconnect_pause(0, 0.0).as_millis(), 500);
    }

    #[test]
    fn users_and_rooms_are_known_again() {
        let world = World::new(Settings {
            run: 0xab,
            targets: Vec::new(),
            mint: Mint::new("s"),
            dialect: Dialect::Conversation,
            offer: Offer::Full,
            resume: Resume::Since,
            message_bytes: 0,
            repeats: 0.0,
            rooms: 3,
        });
        assert_eq!(world.user_number(&world.user_name(17)), Some(17));
        assert_eq!(world.user_number("lt-000000ac-u17"), None);
        assert_eq!(world.user_number("lt-000000ab-auditor"), None);
        assert_eq!(world.room_number(&world.room(2).name), Some(2));
        assert_eq!(world.room_number("other"), None);
    }
}
