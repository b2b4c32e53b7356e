//! What ends a connection whatever it is doing.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::clock;
use crate::dialect::{DialectId, DialectSet, Dialects};
use crate::domain::close::CloseReason;
use crate::domain::notice::Notice;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::hub::outbox::{Outbox, Outgoing};

/// How long before its token's end a client is told.
const WARNING: Duration = Duration::from_secs(60);

/// How long a connection may stay without a token.
const UNAUTHENTICATED_MAX: Duration = Duration::from_secs(10);

/// Longest sleep before the wall clock is looked at again: it may have been set.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Watches one connection. Clones watch the same.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    outbox: Outbox,
    opened: Instant,
    expires_at: watch::Sender<Option<Timestamp>>,
    /// In whose words the connection is told of itself.
    dialects: watch::Sender<DialectSet>,
}

impl Guard {
    /// A guard over a connection whose token ends at `expires_at`; `None`: it has no token yet.
    pub(super) fn new(outbox: Outbox, expires_at: Option<Timestamp>, dialect: DialectId) -> Self {
        Self {
            outbox,
            opened: Instant::now(),
            expires_at: watch::Sender::new(expires_at),
            dialects: watch::Sender::new(DialectSet::of(dialect)),
        }
    }

    /// The connection has shown a token with this end.
    pub(super) fn extend(&self, expires_at: Timestamp) {
        self.expires_at.send_replace(Some(expires_at));
    }

    /// The connection is told of itself in these dialects from now on.
    pub(super) fn speak(&self, dialects: DialectSet) {
        self.dialects.send_replace(dialects);
    }

    /// Resolves with the reason when the connection has to end.
    pub(super) async fn watch(&mut self, dialects: &Dialects, dialect: DialectId) -> CloseReason {
        let outbox = self.outbox.clone();
        tokio::select! {
            biased;
            reason = outbox.ended() => reason,
            reason = self.watch_token(dialects, dialect) => reason,
        }
    }

    async fn watch_token(&self, dialects: &Dialects, dialect: DialectId) -> CloseReason {
        let mut changes = self.expires_at.subscribe();
        let mut warned_for = None;
        loop {
            let expires_at = *changes.borrow_and_update();
            let wake_at = match expires_at {
                None => {
                    let deadline = self.opened + UNAUTHENTICATED_MAX;
                    if deadline <= Instant::now() {
                        let refusal = Refusal::AuthRequired;
                        let frame = dialects.get(dialect).refusal_event(None, &refusal);
                        self.outbox.push(Outgoing::Event(frame)).ok();
                        return CloseReason::AuthTimeout;
                    }
                    deadline
                }
                Some(expires_at) => {
                    let left = Duration::from_millis(expires_at.0.saturating_sub(clock::now().0));
                    if left.is_zero() {
                        return CloseReason::TokenExpired;
                    }
                    if left <= WARNING && warned_for != Some(expires_at) {
                        warned_for = Some(expires_at);
                        let notice = Notice::TokenExpiring { expires_at };
                        for spoken in dialects.encode(*self.dialects.borrow(), &notice) {
                            self.outbox.push(Outgoing::Event(spoken.frame)).ok();
                        }
                    }
                    let until = if left <= WARNING { left } else { left - WARNING };
                    Instant::now() + until.min(LOOK_AGAIN)
                }
            };
            tokio::select! {
                () = sleep_until(wake_at) => (),
                Ok(()) = changes.changed() => (),
            }
        }
    }
}
