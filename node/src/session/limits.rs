//! How often one connection may do something.

use std::time::Duration;

use tokio::time::Instant;

use crate::dialect::Rates;
use crate::domain::quota::{Limit, Window};
use crate::domain::refusal::Refusal;
use crate::session::Config;

/// Joins and leaves have a bucket of their own, so that a returning client can rejoin everything
/// at once: as many as it may have rooms, within this time.
const JOINS_PER: Duration = Duration::from_secs(10);

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// The windows of one connection.
#[derive(Debug)]
pub(super) struct Buckets {
    opened: Instant,
    events: Window,
    joins: Window,
}

impl Default for Buckets {
    fn default() -> Self {
        Self { opened: Instant::now(), events: Window::default(), joins: Window::default() }
    }
}

impl Buckets {
    /// Takes one event.
    ///
    /// # Errors
    /// Too many of them.
    pub(super) fn take_event(&mut self, config: &Config, rates: Rates) -> Result<(), Refusal> {
        let limit = effective(config.events_per_second, SECOND, rates.events);
        take(&mut self.events, limit, self.opened.elapsed())
    }

    /// Takes one join or leave.
    ///
    /// # Errors
    /// Too many of them.
    pub(super) fn take_join(&mut self, config: &Config) -> Result<(), Refusal> {
        let times = config.rooms_per_connection;
        let limit = (times != 0).then_some(Limit { times, per: JOINS_PER });
        take(&mut self.joins, limit, self.opened.elapsed())
    }
}

/// The limit on a user's messages.
pub(super) fn messages(config: &Config, rates: Rates) -> Option<Limit> {
    effective(config.messages_per_minute, MINUTE, rates.messages)
}

/// The limit on a user's status changes.
pub(super) fn statuses(config: &Config, rates: Rates) -> Option<Limit> {
    effective(config.status_per_minute, MINUTE, rates.statuses)
}

/// Configuration overrides the dialect; 0 is no limit.
fn effective(configured: Option<u32>, per: Duration, dialect: Option<Limit>) -> Option<Limit> {
    match configured {
        Some(0) => None,
        Some(times) => Some(Limit { times, per }),
        None => dialect,
    }
}

fn take(window: &mut Window, limit: Option<Limit>, now: Duration) -> Result<(), Refusal> {
    let Some(limit) = limit else { return Ok(()) };
    window.take(limit, now).map_err(|retry_after| Refusal::RateLimited { retry_after })
}
