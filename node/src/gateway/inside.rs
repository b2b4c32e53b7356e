//! What both lanes know about the node behind them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use crate::auth::{Credentials, Identity};
use crate::domain::id::ConnId;
use crate::domain::refusal::Refusal;
use crate::gateway::credentials::Greeting;
use crate::gateway::drain::Leaving;
use crate::gateway::{Authenticate, Open, credentials};
use crate::lifecycle::Lifecycle;
use crate::secret::Secret;
use crate::session::peer::Returning;

/// The one namespace in which a client may show its token after it has connected.
const WAITS_FOR_TOKEN: &str = "/";

/// One per gateway.
pub(super) struct Inside {
    /// Verifies tokens.
    pub(super) authenticate: Authenticate,
    /// Serves peers.
    pub(super) open: Open,
    /// Spawns what serves connections.
    pub(super) lifecycle: Lifecycle,
    /// Told when this node leaves.
    pub(super) leaving: watch::Receiver<Option<Leaving>>,
    next_conn: AtomicU64,
}

/// A client that may connect to a namespace.
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
        authenticate: Authenticate,
        open: Open,
        lifecycle: Lifecycle,
        leaving: watch::Receiver<Option<Leaving>>,
    ) -> Arc<Self> {
        let next_conn = AtomicU64::new(1);
        Arc::new(Self { authenticate, open, lifecycle, leaving, next_conn })
    }

    /// Number of the next connection.
    pub(super) fn next_conn(&self) -> ConnId {
        ConnId(self.next_conn.fetch_add(1, Ordering::Relaxed))
    }

    /// Who asks for `namespace` with this CONNECT payload, after a request that showed `shown`.
    ///
    /// # Errors
    /// The payload is malformed, or its client may not connect.
    pub(super) fn identify(
        &self,
        namespace: &str,
        shown: &Credentials,
        payload: Option<&str>,
    ) -> Result<Greeted, Refusal> {
        let Ok(greeting) = credentials::of_connect(payload) else {
            return Err(Refusal::invalid("malformed CONNECT payload"));
        };
        let shown = Credentials { connect: greeting.token.clone(), ..shown.clone() };
        match (self.authenticate)(&shown) {
            Ok(None) if namespace != WAITS_FOR_TOKEN => Err(Refusal::AuthRequired),
            Ok(identity) => {
                let payload = payload.map(|it| Secret::new(Box::from(it)));
                let Greeting { dialect, returning, .. } = greeting;
                Ok(Greeted { identity, dialect, payload, returning })
            }
            Err(_failure) => Err(Refusal::AuthRequired),
        }
    }
}
