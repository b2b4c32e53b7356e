//! What one client does during a run: plain data that a scenario makes and a client follows.

use std::time::Duration;

use crate::history::{RoomIndex, UserIndex};

/// The plan of one client. All times are counted from the start of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Behaviour {
    pub(crate) user: UserIndex,
    pub(crate) rooms: Vec<RoomIndex>,
    /// When it connects first.
    pub(crate) start: Duration,
    /// Messages, to its rooms in turn.
    pub(crate) messages: Option<Rhythm>,
    /// Starts and stops of typing in turn.
    pub(crate) typing: Option<Rhythm>,
    /// Changes of status.
    pub(crate) status: Option<Rhythm>,
    /// In order, and not overlapping.
    pub(crate) absences: Vec<Absence>,
}

impl Behaviour {
    /// A client that listens and says nothing.
    pub(crate) fn listener(user: UserIndex, rooms: Vec<RoomIndex>, start: Duration) -> Self {
        Self {
            user,
            rooms,
            start,
            messages: None,
            typing: None,
            status: None,
            absences: Vec::new(),
        }
    }
}

/// Something done at fixed times, whatever came of the time before: an open loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rhythm {
    pub(crate) next: Duration,
    pub(crate) every: Duration,
    /// Nothing is due from here on.
    pub(crate) until: Duration,
}

impl Rhythm {
    /// When it is next due; `None`: never again.
    pub(crate) fn due(self) -> Option<Duration> {
        (self.next < self.until).then_some(self.next)
    }

    /// The due time was met, however late.
    pub(crate) fn advance(&mut self) {
        self.next += self.every;
    }

    /// The shares of a rate among several: a common beat, each a step later than the one before.
    pub(crate) fn shared(share: Share, from: Duration, until: Duration) -> Self {
        let every = Duration::from_secs_f64(f64::from(share.of) / share.per_second);
        Self {
            next: from + every.mul_f64(f64::from(share.index) / f64::from(share.of)),
            every,
            until,
        }
    }
}

/// One of several who do something together at a rate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    pub(crate) index: u32,
    pub(crate) of: u32,
    /// The rate of all of them; above 0.
    pub(crate) per_second: f64,
}

/// A stretch in which a client is not quite there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Absence {
    pub(crate) at: Duration,
    pub(crate) lasting: Duration,
    pub(crate) how: Away,
}

/// In which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Away {
    /// The transport is cut without a word; the client comes back after the stretch.
    Cut,
    /// It leaves its rooms and joins them again after the stretch.
    Left,
    /// It is connected and does not read.
    Asleep,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_to_the_rate_without_bursts() {
        let second = Duration::from_secs(1);
        let mut times = Vec::new();
        for index in 0..4 {
            let mut rhythm =
                Rhythm::shared(Share { index, of: 4, per_second: 8.0 }, second, second * 3);
            while let Some(due) = rhythm.due() {
                times.push(due);
                rhythm.advance();
            }
        }
        times.sort();
        assert_eq!(times.len(), 16);
        assert!(times.windows(2).all(|it| it[1] - it[0] == Duration::from_millis(125)));
    }
}
