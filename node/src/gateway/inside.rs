//! What both lanes know about the node behind them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use crate::auth::{Credentials, Identity};
use crate::domain::id::ConnId;
use crate::domain::refusal::Refusal;
use crate::gateway::credentials::{self, Greeting, Shown};
use crate::gateway::drain::Leaving;
use crate::gateway::uploads::Uploads;
use crate::gateway::{Authenticate, Behind, Open};
use crate::lifecycle::Lifecycle;
use crate::secret::Secret;
use crate::session::peer::Returning;

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
        let next_conn = AtomicU64::new(1);
        let (authenticate, open) = (Arc::clone(&behind.authenticate), Arc::clone(&behind.open));
        Arc::new(Self { authenticate, open, uploads, lifecycle, leaving, next_conn })
    }

    /// Number of the next connection.
    pub(super) fn next_conn(&self) -> ConnId {
        ConnId(self.next_conn.fetch_add(1, Ordering::Relaxed))
    }

    /// Who opens a connection that needs no CONNECT, by a request that showed `shown`.
    ///
    /// # Errors
    /// A token is there and is not good.
    pub(super) fn recognise(&self, shown: &Shown) -> Result<Greeted, Refusal> {
        match (self.authenticate)(&shown.credentials) {
            Ok(identity) => Ok(Greeted { identity, dialect: None, payload: None, returning: None }),
            Err(_failure) => Err(Refusal::AuthRequired),
        }
    }

    /// Who asks with this CONNECT payload, after a request that showed `shown`.
    ///
    /// # Errors
    /// The payload is malformed, or a token is there and does not verify.
    pub(super) fn identify(
        &self,
        shown: &Shown,
        payload: Option<&str>,
    ) -> Result<Greeted, Refusal> {
        let Ok(greeting) = credentials::of_connect(payload) else {
            return Err(Refusal::invalid("malformed CONNECT payload"));
        };
        let Greeting { token, dialect, returning } = greeting;
        let dialect = dialect.or_else(|| shown.dialect.clone());
        let shown = Credentials { connect: token, ..shown.credentials.clone() };
        match (self.authenticate)(&shown) {
            Ok(identity) => {
                let payload = payload.map(|it| Secret::new(Box::from(it)));
                Ok(Greeted { identity, dialect, payload, returning })
            }
            Err(_failure) => Err(Refusal::AuthRequired),
        }
    }
}
