//! When a connection is pinged, and when it has been silent for too long.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::gateway::config::Heartbeat;

/// How long a connection may do without a namespace.
const NO_NAMESPACE_MAX: Duration = Duration::from_secs(5);

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// A ping has to be sent.
    Ping,
    /// The last ping was not answered in time.
    Missed,
    /// No namespace is open, and none was opened in time.
    NoNamespace,
}

#[derive(Debug, Clone, Copy)]
enum Beat {
    Ping(Instant),
    Dead(Instant),
}

/// The clock of one connection.
#[derive(Debug)]
pub(super) struct Heart {
    interval: Duration,
    timeout: Duration,
    beat: Beat,
    connect_by: Option<Instant>,
    timer: Pin<Box<Sleep>>,
}

impl Heart {
    /// The clock of a connection that opens now.
    #[must_use]
    pub(super) fn new(heartbeat: Heartbeat) -> Self {
        let now = Instant::now();
        let interval = Duration::from_millis(heartbeat.interval_ms.get());
        let timeout = Duration::from_millis(heartbeat.timeout_ms.get());
        let first = now + interval.min(NO_NAMESPACE_MAX);
        Self {
            interval,
            timeout,
            beat: Beat::Ping(now + interval),
            connect_by: Some(now + NO_NAMESPACE_MAX),
            timer: Box::pin(sleep_until(first)),
        }
    }

    /// The client has answered.
    pub(super) fn pong(&mut self) {
        self.beat = Beat::Ping(Instant::now() + self.interval);
        self.arm();
    }

    /// How many namespaces are open has changed.
    pub(super) fn namespaces(&mut self, open: usize) {
        self.connect_by = (open == 0).then(|| Instant::now() + NO_NAMESPACE_MAX);
        self.arm();
    }

    /// Resolves when something is due.
    pub(super) fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<Due> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let now = Instant::now();
            if self.connect_by.is_some_and(|it| it <= now) {
                return Poll::Ready(Due::NoNamespace);
            }
            match self.beat {
                Beat::Dead(at) if at <= now => return Poll::Ready(Due::Missed),
                Beat::Ping(at) if at <= now => {
                    self.beat = Beat::Dead(now + self.timeout);
                    self.arm();
                    return Poll::Ready(Due::Ping);
                }
                Beat::Dead(_) | Beat::Ping(_) => self.arm(),
            }
        }
    }

    fn arm(&mut self) {
        let (Beat::Ping(beat) | Beat::Dead(beat)) = self.beat;
        let next = self.connect_by.map_or(beat, |it| it.min(beat));
        self.timer.as_mut().reset(next);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    async fn next(heart: &mut Heart) -> (Due, u64) {
        let began = Instant::now();
        let due = poll_fn(|cx| heart.poll_due(cx)).await;
        (due, began.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn pings_come_at_their_interval_while_they_are_answered() {
        let mut heart = Heart::new(Heartbeat::default());
        heart.namespaces(1);
        assert_eq!(next(&mut heart).await, (Due::Ping, 25));
        heart.pong();
        assert_eq!(next(&mut heart).await, (Due::Ping, 25));
        assert_eq!(next(&mut heart).await, (Due::Missed, 60));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_namespaces_has_five_seconds() {
        let mut heart = Heart::new(Heartbeat::default());
        assert_eq!(next(&mut heart).await, (Due::NoNamespace, 5));
        let mut heart = Heart::new(Heartbeat::default());
        heart.namespaces(1);
        heart.namespaces(0);
        assert_eq!(next(&mut heart).await, (Due::NoNamespace, 5));
    }
}
