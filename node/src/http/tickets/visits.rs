//! What of the older way is written down: who came with which token, and what was refused.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::id::{RoomId, UserId};
use crate::domain::refusal::Refusal;
use crate::telemetry::audit::{Audit, Caller, Record, What};

/// Requests have no connection, so the same of a user and an address is written down once in this
/// time.
const REPEAT_AFTER: Duration = Duration::from_secs(60);

/// Of so many it is known that they were told; one more forgets all.
const TOLD_MAX: usize = 10_000;

/// What is not told twice a minute: what came of it, for whom, and from where.
type Told = (&'static str, Option<UserId>, Option<IpAddr>);

/// Writes visits down.
#[derive(Debug)]
pub(super) struct Visits {
    audit: Audit,
    told: Mutex<HashMap<Told, Instant>>,
}

/// One request, and who makes it as far as that is known.
#[derive(Debug, Default)]
pub(super) struct Visit {
    pub(super) caller: Option<Arc<Caller>>,
    pub(super) user: Option<UserId>,
}

impl Visits {
    pub(super) fn new(audit: Audit) -> Self {
        Self { audit, told: Mutex::default() }
    }

    /// A token was looked at.
    pub(super) fn authenticated(&self, visit: &Visit, outcome: &'static str) {
        self.tell(visit, Record::of(What::Authenticate, outcome), outcome);
    }

    /// The request was refused.
    pub(super) fn refused(&self, visit: &Visit, (event, ticket): (&str, &str), refusal: &Refusal) {
        // What was wrong with the token is written down already.
        let Some(what) = What::refused(refusal).filter(|it| *it != What::Authenticate) else {
            return;
        };
        let (room, asked) = (RoomId::parse(ticket).ok(), Some(Box::from(event)));
        let record = Record { room, asked, ..Record::of(what, refusal.code()) };
        self.tell(visit, record, refusal.code());
    }

    fn tell(&self, visit: &Visit, record: Record, outcome: &'static str) {
        let Visit { caller, user } = visit;
        let told = (outcome, user.clone(), caller.as_ref().map(|it| it.address));
        if !self.is_repeated(told) {
            self.audit.tell(Record { caller: caller.clone(), user: user.clone(), ..record });
        }
    }

    /// Whether the same was told within the last minute; from now on it was.
    fn is_repeated(&self, what: Told) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_repeated = told.get(&what).is_some_and(|it| it.elapsed() < REPEAT_AFTER);
        if !is_repeated {
            if TOLD_MAX <= told.len() {
                told.clear();
            }
            told.insert(what, Instant::now());
        }
        is_repeated
    }
}
