//! What both lanes know about the node behind them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;
use uuid::Uuid;

use crate::auth::{Credentials, Identity};
use crate::domain::id::ConnId;
use crate::domain::refusal::Refusal;
use crate::gateway::credentials::{self, Greeting, Presented};
use crate::gateway::drain::Leaving;
use crate::gateway::uploads::Uploads;
use crate::gateway::{Authenticate, Behind, Open};
use crate::lifecycle::Lifecycle;
use crate::secret::Secret;
use crate::session::peer::Returning;
use crate::telemetry::audit::{Audit, Caller, Record, What};

/// One per gateway.
pub(super) struct Inside {
    /// Verifies tokens.
    pub(super) authenticate: Authenticate,
    /// Serves peers.
    pub(super) open: Open,
    /// Room for events with files.
    pub(super) uploads: Arc<Uploads>,
    /// Spawns what serves connections.
    pub(super) lifecycle: Lifecycle,
    /// Told when this node leaves.
    pub(super) leaving: watch::Receiver<Option<Leaving>>,
    /// Told of everyone who is turned away here; sessions tell of the others.
    pub(super) audit: Audit,
    next_conn: AtomicU64,
}

/// A client whose CONNECT can be read.
pub(super) struct Greeted {
    /// Who it is; `None` until it has shown a token.
    pub(super) identity: Option<Identity>,
    /// The dialect that it asks for.
    pub(super) dialect: Option<String>,
    /// The CONNECT's payload; it may hold a token.
    pub(super) payload: Option<Secret<Box<str>>>,
    /// What it had over an earlier connection.
    pub(super) returning: Option<Returning>,
}

impl Inside {
    /// What is inside; no connection has a number yet.
    #[must_use]
    pub(super) fn new(
        behind: &Behind,
        uploads: Arc<Uploads>,
        lifecycle: Lifecycle,
        leaving: watch::Receiver<Option<Leaving>>,
    ) -> Arc<Self> {
        // Others never count up to here.
        let (random, ..) = Uuid::new_v4().as_fields();
        let next_conn = AtomicU64::new(u64::from(random) << 32 | 1);
        let (authenticate, open) = (Arc::clone(&behind.authenticate), Arc::clone(&behind.open));
        let audit = behind.audit.clone();
        Arc::new(Self { authenticate, open, uploads, lifecycle, leaving, audit, next_conn })
    }

    /// Number of the next connection.
    pub(super) fn next_conn(&self) -> ConnId {
        ConnId(self.next_conn.fetch_add(1, Ordering::Relaxed))
    }

    /// Who opens a connection that needs no CONNECT, by a request that showed `shown`.
    ///
    /// # Errors
    /// A token is there and is not good.
    pub(super) fn recognise(
        &self,
        caller: &Arc<Caller>,
        shown: &Presented,
    ) -> Result<Greeted, Refusal> {
        let identity = self.judge(caller, &shown.credentials)?;
        Ok(Greeted { identity, dialect: None, payload: None, returning: None })
    }

    /// Who asks with this CONNECT payload, after a request that showed `shown`.
    ///
    /// # Errors
    /// The payload is malformed, or a token is there and does not verify.
    pub(super) fn identify(
        &self,
        caller: &Arc<Caller>,
        shown: &Presented,
        payload: Option<&str>,
    ) -> Result<Greeted, Refusal> {
        let Ok(greeting) = credentials::of_connect(payload) else {
            self.tell(caller, "malformed");
            return Err(Refusal::invalid("malformed CONNECT payload"));
        };
        let Greeting { token, dialect, returning } = greeting;
        let dialect = dialect.or_else(|| shown.dialect.clone());
        let shown = Credentials { connect: token, ..shown.credentials.clone() };
        let identity = self.judge(caller, &shown)?;
        let payload = payload.map(|it| Secret::new(Box::from(it)));
        Ok(Greeted { identity, dialect, payload, returning })
    }

    fn judge(
        &self,
        caller: &Arc<Caller>,
        shown: &Credentials,
    ) -> Result<Option<Identity>, Refusal> {
        (self.authenticate)(shown).map_err(|failure| {
            self.tell(caller, failure.as_str());
            failure.counted()
        })
    }

    fn tell(&self, caller: &Arc<Caller>, outcome: &'static str) {
        let caller = Some(Arc::clone(caller));
        self.audit.tell(Record { caller, ..Record::of(What::Connect, outcome) });
    }
}
