//! The shapes of load: each makes the plans of all clients from a few numbers.

use std::fmt;
use std::time::Duration;

use clap::ValueEnum;

use crate::behaviour::{Absence, Away, Behaviour, Rhythm, Share};
use crate::history::{RoomIndex, UserIndex};

/// What kind of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Scenario {
    /// Rooms of equal size, everybody writes
    Steady,
    /// Pairs of clients, each in a room of their own
    SmallRooms,
    /// One room holds nine of ten clients, the others sit in small ones
    HotRoom,
    /// Everybody types all the time, and a few write
    TypingStorm,
    /// All clients connect at once
    ConnectStorm,
    /// All clients are cut off at once, in the middle
    ReconnectStorm,
    /// One client of ten stops reading for half of the time
    SlowReaders,
    /// Clients come and go, some for good; statuses change
    PresenceChurn,
    /// Every client is cut off now and then, for up to 5 s
    Jitter,
    /// Some of everything, for long
    Soak,
}

/// The numbers of a load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Load {
    pub(crate) scenario: Scenario,
    pub(crate) clients: u32,
    pub(crate) rooms: u32,
    /// Messages a second, all clients together.
    pub(crate) rate: f64,
    /// For how long messages are sent.
    pub(crate) lasting: Duration,
    pub(crate) connects_per_second: f64,
    /// Seed of everything that is left to chance.
    pub(crate) seed: u64,
}

/// The usual numbers of a scenario.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Usual {
    pub(crate) clients: u32,
    pub(crate) rooms: u32,
    pub(crate) rate: f64,
    pub(crate) seconds: u64,
    pub(crate) connects_per_second: f64,
    pub(crate) message_bytes: usize,
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |it| it.get_name()))
    }
}

impl Scenario {
    pub(crate) fn usual(self) -> Usual {
        let usual = Usual {
            clients: 200,
            rooms: 10,
            rate: 200.0,
            seconds: 30,
            connects_per_second: 200.0,
            message_bytes: 120,
        };
        match self {
            Self::Steady | Self::Jitter => usual,
            Self::SmallRooms => Usual { clients: 1000, rooms: 500, rate: 500.0, ..usual },
            Self::HotRoom => Usual { clients: 500, rooms: 11, rate: 20.0, ..usual },
            Self::TypingStorm => Usual { rate: 20.0, ..usual },
            Self::ConnectStorm | Self::ReconnectStorm => {
                Usual { clients: 1000, rooms: 50, rate: 100.0, ..usual }
            }
            // So much that what a sleeper misses fills every buffer on the way.
            Self::SlowReaders => Usual { rate: 40.0, seconds: 60, message_bytes: 32_000, ..usual },
            Self::PresenceChurn => Usual { rate: 20.0, seconds: 60, ..usual },
            Self::Soak => Usual { seconds: 600, ..usual },
        }
    }

    /// How long at least to wait after the last message: presence has a grace of some seconds.
    pub(crate) fn settle(self) -> Duration {
        match self {
            Self::PresenceChurn | Self::Soak => Duration::from_secs(14),
            Self::Steady
            | Self::SmallRooms
            | Self::HotRoom
            | Self::TypingStorm
            | Self::ConnectStorm
            | Self::ReconnectStorm
            | Self::SlowReaders
            | Self::Jitter => Duration::from_secs(2),
        }
    }
}

impl Load {
    /// When everybody is there and messages begin.
    pub(crate) fn from(&self) -> Duration {
        let seconds = f64::from(self.clients) / self.connects_per_second();
        Duration::from_secs_f64(seconds) + Duration::from_secs(1)
    }

    /// When the last message is due.
    pub(crate) fn until(&self) -> Duration {
        self.from() + self.lasting
    }

    fn connects_per_second(&self) -> f64 {
        match self.scenario {
            // All within a quarter of a second: as fast as one process can ask.
            Scenario::ConnectStorm => f64::from(self.clients) * 4.0,
            Scenario::Steady
            | Scenario::SmallRooms
            | Scenario::HotRoom
            | Scenario::TypingStorm
            | Scenario::ReconnectStorm
            | Scenario::SlowReaders
            | Scenario::PresenceChurn
            | Scenario::Jitter
            | Scenario::Soak => self.connects_per_second,
        }
    }

    /// The plans of all clients.
    pub(crate) fn behaviours(&self) -> Vec<Behaviour> {
        let mut chance = fastrand::Rng::with_seed(self.seed);
        (0..self.clients).map(|client| self.behaviour(client, &mut chance)).collect()
    }

    fn behaviour(&self, client: UserIndex, chance: &mut fastrand::Rng) -> Behaviour {
        let start = Duration::from_secs_f64(f64::from(client) / self.connects_per_second());
        let mut plan = Behaviour::listener(client, vec![self.room(client)], start);
        plan.messages = Some(self.share(client, self.rate));
        match self.scenario {
            Scenario::Steady | Scenario::SmallRooms | Scenario::ConnectStorm => (),
            Scenario::HotRoom => plan.messages = Some(self.hot_share(client)),
            Scenario::TypingStorm => {
                plan.typing = Some(self.share(client, f64::from(self.clients)));
            }
            Scenario::ReconnectStorm => {
                plan.absences = vec![self.absence(0.5, Duration::ZERO, Away::Cut)];
            }
            Scenario::SlowReaders => {
                if self.is_one_in(10, client) {
                    // It has nothing to say, so what it is told cannot be mixed up with acknowledgements.
                    plan.messages = None;
                    plan.absences = vec![self.absence(0.25, self.lasting / 2, Away::Asleep)];
                }
            }
            Scenario::PresenceChurn => {
                plan.status = Some(self.share(client, f64::from(self.clients) / 10.0));
                plan.absences = self.churn(client, chance);
            }
            Scenario::Jitter => plan.absences = self.cuts(5.0, 5.0, chance),
            Scenario::Soak => {
                plan.typing = Some(self.share(client, f64::from(self.clients) / 10.0));
                plan.status = Some(self.share(client, f64::from(self.clients) / 60.0));
                plan.absences = self.cuts(60.0, 8.0, chance);
            }
        }
        plan
    }

    fn room(&self, client: UserIndex) -> RoomIndex {
        match self.scenario {
            Scenario::SmallRooms => (client / 2) % self.rooms,
            Scenario::HotRoom if client % 10 != 9 || self.rooms == 1 => 0,
            Scenario::HotRoom => 1 + (client / 10) % (self.rooms - 1),
            Scenario::Steady
            | Scenario::TypingStorm
            | Scenario::ConnectStorm
            | Scenario::ReconnectStorm
            | Scenario::SlowReaders
            | Scenario::PresenceChurn
            | Scenario::Jitter
            | Scenario::Soak => client % self.rooms,
        }
    }

    /// Picks one client in `n` so that the picked ones sit in different rooms.
    fn is_one_in(&self, n: u32, client: UserIndex) -> bool {
        (client + client / self.rooms) % n == n - 1
    }

    fn share(&self, index: u32, per_second: f64) -> Rhythm {
        let share = Share { index, of: self.clients, per_second };
        Rhythm::shared(share, self.from(), self.until())
    }

    /// Half of the messages for the hot room, half for the others together.
    fn hot_share(&self, client: u32) -> Rhythm {
        let cold = self.clients / 10;
        let (index, of) = match client % 10 {
            9 => (client / 10, cold),
            _ => (client - client / 10, self.clients - cold),
        };
        let share = Share { index, of, per_second: self.rate / 2.0 };
        Rhythm::shared(share, self.from(), self.until())
    }

    fn absence(&self, place: f64, lasting: Duration, how: Away) -> Absence {
        Absence { at: self.from() + self.lasting.mul_f64(place), lasting, how }
    }

    /// Cuts at random, on average one in `every` seconds, each of up to `lasting` seconds; all are
    /// over when the last message is sent.
    fn cuts(&self, every: f64, lasting: f64, chance: &mut fastrand::Rng) -> Vec<Absence> {
        let mut absences = Vec::new();
        let mut at = self.from() + Duration::from_secs_f64(every * chance.f64());
        loop {
            let lasting = Duration::from_secs_f64(lasting * chance.f64());
            if self.until() <= at + lasting {
                return absences;
            }
            absences.push(Absence { at, lasting, how: Away::Cut });
            at += lasting + Duration::from_secs_f64(every * (0.5 + chance.f64()));
        }
    }

    /// Coming and going: some leave their room, some lose their connection, one of ten for good.
    fn churn(&self, client: UserIndex, chance: &mut fastrand::Rng) -> Vec<Absence> {
        let mut absences = self.cuts(8.0, 8.0, chance);
        for absence in absences.iter_mut().filter(|_| self.is_one_in(3, client)) {
            absence.how = Away::Left;
        }
        if self.is_one_in(10, client) {
            let for_good = self.absence(0.7, self.lasting * 1000, Away::Cut);
            absences.retain(|it| it.at + it.lasting < for_good.at);
            absences.push(for_good);
        }
        absences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(scenario: Scenario) -> Load {
        let usual = scenario.usual();
        Load {
            scenario,
            clients: usual.clients,
            rooms: usual.rooms,
            rate: usual.rate,
            lasting: Duration::from_secs(usual.seconds),
            connects_per_second: usual.connects_per_second,
            seed: 1,
        }
    }

    #[test]
    fn every_scenario_keeps_its_rate_and_its_bounds() {
        for scenario in Scenario::value_variants() {
            let load = load(*scenario);
            let plans = load.behaviours();
            assert_eq!(plans.len(), load.clients as usize);
            let mut messages = 0;
            for plan in &plans {
                assert!(plan.rooms.iter().all(|it| *it < load.rooms), "{scenario:?}");
                let ends = plan.absences.iter().map(|it| it.at + it.lasting);
                let begins = plan.absences.iter().map(|it| it.at).skip(1);
                assert!(ends.zip(begins).all(|(end, next)| end <= next), "{scenario:?}");
                let mut rhythm = plan.messages;
                while let Some(due) = rhythm.and_then(Rhythm::due) {
                    assert!(load.from() <= due && due < load.until());
                    messages += 1;
                    rhythm.as_mut().unwrap().advance();
                }
            }
            let expected = load.rate * load.lasting.as_secs_f64();
            let silent = if *scenario == Scenario::SlowReaders { 0.9 } else { 1.0 };
            let share = f64::from(messages) / expected / silent;
            assert!((0.98..1.02).contains(&share), "{scenario:?}: {share}");
        }
    }

    #[test]
    fn the_hot_room_holds_nine_of_ten() {
        let plans = load(Scenario::HotRoom).behaviours();
        assert_eq!(plans.iter().filter(|it| it.rooms == [0]).count(), 450);
        assert!(plans.iter().any(|it| it.rooms == [10]));
    }

    #[test]
    fn sleepers_sit_among_those_who_write() {
        let load = load(Scenario::SlowReaders);
        let plans = load.behaviours();
        let sleepers = || plans.iter().filter(|it| !it.absences.is_empty());
        assert_eq!(sleepers().count(), 20);
        for sleeper in sleepers() {
            let others = plans.iter().filter(|it| it.rooms == sleeper.rooms);
            assert!(5 <= others.filter(|it| it.messages.is_some()).count());
        }
    }

    #[test]
    fn some_leave_for_good() {
        let load = load(Scenario::PresenceChurn);
        let gone = |plan: &Behaviour| {
            plan.absences.last().is_some_and(|it| load.until() < it.at + it.lasting)
        };
        assert_eq!(load.behaviours().iter().filter(|it| gone(it)).count(), 20);
    }
}
