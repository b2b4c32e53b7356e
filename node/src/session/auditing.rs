//! What of a connection is written down: how it began, what it was refused, how the node ended it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::auth::Identity;
use crate::domain::close::CloseReason;
use crate::domain::id::RoomId;
use crate::domain::refusal::Refusal;
use crate::telemetry::audit::{Audit, Caller, Record, What};

/// A client that is refused again and again is written down once in this time.
const REPEAT_AFTER: Duration = Duration::from_secs(60);

/// Writes down what concerns one connection.
#[derive(Debug)]
pub(super) struct Auditor {
    audit: Audit,
    caller: Arc<Caller>,
    told: [(What, Option<Instant>); 3],
}

impl Auditor {
    pub(super) fn new(audit: Audit, caller: Arc<Caller>) -> Self {
        let told = [What::Authenticate, What::Access, What::Limit].map(|what| (what, None));
        Self { audit, caller, told }
    }

    /// The CONNECT was granted to this user, who may not be known yet, or refused.
    pub(super) fn connected(&self, identity: Option<&Identity>, refusal: Option<&Refusal>) {
        let outcome = match (identity, refusal) {
            (_, None) => "connected",
            (None, Some(Refusal::AuthRequired)) => "no_token",
            (_, Some(refusal)) => refusal.code(),
        };
        self.tell(Record::of(What::Connect, outcome), identity);
    }

    /// A token was shown in band.
    pub(super) fn authenticated(&mut self, identity: Option<&Identity>, outcome: &'static str) {
        // The refusal that follows is the same thing again.
        self.is_repeated(What::Authenticate);
        self.tell(Record::of(What::Authenticate, outcome), identity);
    }

    /// An event was refused, perhaps about a room.
    pub(super) fn refused(
        &mut self,
        identity: Option<&Identity>,
        event: Option<&str>,
        room: Option<RoomId>,
        refusal: &Refusal,
    ) {
        let Some(what) = What::refused(refusal) else { return };
        if self.is_repeated(what) {
            return;
        }
        let asked = event.map(Box::from);
        self.tell(Record { room, asked, ..Record::of(what, refusal.code()) }, identity);
    }

    /// Whether the same was told within the last minute; from now on it was.
    fn is_repeated(&mut self, what: What) -> bool {
        let Some((_, told)) = self.told.iter_mut().find(|(it, _)| *it == what) else {
            return false;
        };
        let is_repeated = told.is_some_and(|it| it.elapsed() < REPEAT_AFTER);
        if !is_repeated {
            *told = Some(Instant::now());
        }
        is_repeated
    }

    /// The connection is over.
    pub(super) fn ended(&self, identity: Option<&Identity>, reason: CloseReason) {
        if reason.is_verdict() {
            self.tell(Record::of(What::Disconnect, reason.as_str()), identity);
        }
    }

    fn tell(&self, record: Record, identity: Option<&Identity>) {
        let user = identity.map(|it| it.actor.id().clone());
        self.audit.tell(Record { caller: Some(Arc::clone(&self.caller)), user, ..record });
    }
}
