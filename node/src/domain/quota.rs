//! How often something may be done: rolling windows, exact, decided by pure code.

use std::collections::VecDeque;
use std::time::Duration;

/// At most `times` within any window of length `per`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// How often.
    pub times: u32,
    /// In which rolling window.
    pub per: Duration,
}

/// The times of the last accepted uses, as offsets from any fixed start that the caller keeps.
///
/// At most `times` offsets are kept, so memory is bounded by the limit.
#[derive(Debug, Clone, Default)]
pub struct Window {
    accepted: VecDeque<Duration>,
}

impl Window {
    /// Takes one use at `now`.
    ///
    /// # Errors
    /// The time until the next use would be accepted; nothing is counted then.
    pub fn take(&mut self, limit: Limit, now: Duration) -> Result<(), Duration> {
        while self.accepted.front().is_some_and(|&at| at + limit.per <= now) {
            self.accepted.pop_front();
        }
        if self.accepted.len() < limit.times as usize {
            self.accepted.push_back(now);
            return Ok(());
        }
        match self.accepted.front() {
            Some(&oldest) => Err((oldest + limit.per).saturating_sub(now)),
            None => Err(limit.per), // a limit of no uses at all
        }
    }

    /// Whether nothing that still counts is kept, so the window itself can be forgotten.
    #[must_use]
    pub fn is_idle(&self, limit: Limit, now: Duration) -> bool {
        self.accepted.back().is_none_or(|&at| at + limit.per <= now)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: Limit = Limit { times: 3, per: Duration::from_millis(1000) };

    proptest! {
        #[test]
        fn no_rolling_window_ever_holds_more_than_the_limit(
            steps in prop::collection::vec(0_u64..700, 1..200),
        ) {
            let (mut window, mut now, mut accepted) = (Window::default(), Duration::ZERO, vec![]);
            for step in steps {
                now += Duration::from_millis(step);
                let recent = accepted.iter().filter(|&&at| now < at + LIMIT.per).count();
                match window.take(LIMIT, now) {
                    Ok(()) => {
                        prop_assert!(recent < 3);
                        accepted.push(now);
                    }
                    Err(wait) => {
                        prop_assert_eq!(recent, 3);
                        prop_assert!(window.clone().take(LIMIT, now + wait).is_ok());
                    }
                }
            }
        }
    }
}
