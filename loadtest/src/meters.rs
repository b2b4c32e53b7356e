//! Counts and latencies of a run, second by second.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
    /// Attempts to send a message.
    Tried,
    Acked,
    Refused,
    /// Attempts without an outcome; each was tried again.
    Unknown,
    /// Messages that were sent again on purpose, though they were acknowledged.
    Repeated,
    Delivered,
    TypingTold,
    TypingHeard,
    PresenceHeard,
    Connects,
    ConnectFailures,
    /// Connections that ended though nobody meant them to.
    Losses,
    /// Places before which the server could not go on: said at a join or while connected.
    Gaps,
    /// Answers of a shape that nobody expects, and error events.
    Oddities,
}

impl Count {
    pub(crate) const ALL: [Self; 14] = [
        Self::Tried,
        Self::Acked,
        Self::Refused,
        Self::Unknown,
        Self::Repeated,
        Self::Delivered,
        Self::TypingTold,
        Self::TypingHeard,
        Self::PresenceHeard,
        Self::Connects,
        Self::ConnectFailures,
        Self::Losses,
        Self::Gaps,
        Self::Oddities,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tried => "tried",
            Self::Acked => "acked",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Repeated => "repeated",
            Self::Delivered => "delivered",
            Self::TypingTold => "typing_told",
            Self::TypingHeard => "typing_heard",
            Self::PresenceHeard => "presence_heard",
            Self::Connects => "connects",
            Self::ConnectFailures => "connect_failures",
            Self::Losses => "losses",
            Self::Gaps => "gaps",
            Self::Oddities => "oddities",
        }
    }
}

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timed {
    /// From when a message was due to its acknowledgement.
    Ack,
    /// From when a message was due to its arrival at one listener.
    Delivery,
    /// From the first SYN to the connected namespace.
    Connect,
    /// From losing a connection to being back in every room, pauses included.
    Return,
}

impl Timed {
    pub(crate) const ALL: [Self; 4] = [Self::Ack, Self::Delivery, Self::Connect, Self::Return];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ack => "ack",
            Self::Delivery => "delivery",
            Self::Connect => "connect",
            Self::Return => "return",
        }
    }
}

/// Latencies above this are counted as this.
const LATENCY_US_MAX: u64 = 600_000_000;

/// Clients share so many locks.
const SHARDS: usize = 8;

/// A histogram of microseconds with two significant digits.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_US_MAX, 2)
        .expect("the bounds are constants that the library takes")
}

type Shard = [Histogram<u64>; 4];

/// Where all clients count and time.
#[derive(Debug)]
pub(crate) struct Meters {
    counts: [AtomicU64; Count::ALL.len()],
    shards: [Mutex<Shard>; SHARDS],
    codes: Mutex<BTreeMap<String, u64>>,
}

/// How many different refusal codes are told apart.
const CODES_MAX: usize = 50;

impl Meters {
    pub(crate) fn new() -> Self {
        let shard = |_| Mutex::new(std::array::from_fn(|_| histogram()));
        Self {
            counts: std::array::from_fn(|_| AtomicU64::new(0)),
            shards: std::array::from_fn(shard),
            codes: Mutex::default(),
        }
    }

    pub(crate) fn count(&self, what: Count) {
        self.counts[what as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn counted(&self, what: Count) -> u64 {
        self.counts[what as usize].load(Ordering::Relaxed)
    }

    /// Notes why something was refused or failed.
    pub(crate) fn code(&self, code: &str) {
        let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        if codes.len() < CODES_MAX || codes.contains_key(code) {
            *codes.entry(code.to_owned()).or_default() += 1;
        }
    }

    pub(crate) fn codes(&self) -> BTreeMap<String, u64> {
        self.codes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn time(&self, client: usize, what: Timed, microseconds: u64) {
        let shard = &self.shards[client % SHARDS];
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        shard[what as usize].saturating_record(microseconds.max(1));
    }

    /// Takes what was timed since the last call.
    pub(crate) fn take(&self) -> [Histogram<u64>; 4] {
        let mut taken: Shard = std::array::from_fn(|_| histogram());
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            for (sum, part) in taken.iter_mut().zip(shard.iter_mut()) {
                if !part.is_empty() {
                    *sum += &*part;
                    part.reset();
                }
            }
        }
        taken
    }
}

/// Quantiles of one histogram, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Quantiles {
    pub(crate) count: u64,
    pub(crate) p50_us: u64,
    pub(crate) p90_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) p999_us: u64,
    pub(crate) max_us: u64,
}

impl Quantiles {
    pub(crate) fn of(histogram: &Histogram<u64>) -> Self {
        Self {
            count: histogram.len(),
            p50_us: histogram.value_at_quantile(0.5),
            p90_us: histogram.value_at_quantile(0.9),
            p99_us: histogram.value_at_quantile(0.99),
            p999_us: histogram.value_at_quantile(0.999),
            max_us: histogram.max(),
        }
    }
}

/// What one second of the run was like.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Second {
    /// Seconds since the start at the end of this stretch.
    pub(crate) at: f64,
    /// What was counted in it, in the order of [`Count::ALL`].
    pub(crate) counts: [u64; Count::ALL.len()],
    /// In the order of [`Timed::ALL`].
    pub(crate) latencies: [Quantiles; 4],
    /// Of the processes that are watched together.
    pub(crate) server: Option<crate::process::Usage>,
}

/// The seconds so far and the latencies of the whole run.
#[derive(Debug)]
pub(crate) struct Timeline {
    pub(crate) seconds: Vec<Second>,
    pub(crate) whole: [Histogram<u64>; 4],
    before: [u64; Count::ALL.len()],
}

impl Timeline {
    pub(crate) fn new() -> Self {
        let whole = std::array::from_fn(|_| histogram());
        Self { seconds: Vec::new(), whole, before: [0; Count::ALL.len()] }
    }

    /// Closes a second.
    pub(crate) fn tick(
        &mut self,
        meters: &Meters,
        at: Duration,
        server: Option<crate::process::Usage>,
    ) {
        let now = Count::ALL.map(|it| meters.counted(it));
        let counts = std::array::from_fn(|i| now[i].saturating_sub(self.before[i]));
        self.before = now;
        let taken = meters.take();
        for (whole, part) in self.whole.iter_mut().zip(&taken) {
            *whole += part;
        }
        let latencies = std::array::from_fn(|i| Quantiles::of(&taken[i]));
        self.seconds.push(Second { at: at.as_secs_f64(), counts, latencies, server });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_where_their_numbers_say() {
        assert!(Count::ALL.iter().enumerate().all(|(i, it)| *it as usize == i));
        assert!(Timed::ALL.iter().enumerate().all(|(i, it)| *it as usize == i));
    }

    #[test]
    fn a_second_holds_what_came_since_the_last() {
        let (meters, mut timeline) = (Meters::new(), Timeline::new());
        meters.count(Count::Acked);
        meters.time(3, Timed::Ack, 1_000);
        meters.time(4, Timed::Ack, 3_000);
        timeline.tick(&meters, Duration::from_secs(1), None);
        meters.count(Count::Acked);
        timeline.tick(&meters, Duration::from_secs(2), None);
        let acked: Vec<u64> =
            timeline.seconds.iter().map(|it| it.counts[Count::Acked as usize]).collect();
        assert_eq!(acked, [1, 1]);
        assert_eq!(timeline.seconds[0].latencies[Timed::Ack as usize].count, 2);
        assert_eq!(timeline.seconds[1].latencies[Timed::Ack as usize].count, 0);
        assert_eq!(timeline.whole[Timed::Ack as usize].len(), 2);
    }
}
