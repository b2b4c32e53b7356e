//! One Engine.IO session: the place in which its transports and its namespaces meet.
//!
//! The engine keeps the parts of the handshake request for as long as the session lives, and a
//! [`Link`] travels in their extensions. So a link is dropped with its session, and its drop takes
//! back every trace of it here.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use tokio::sync::{SetOnce, watch};

use crate::gateway::credentials::Presented;
use crate::gateway::flow::Flow;
use crate::gateway::transport::Transport;
use crate::gateway::uploads::{Receiving, Uploads};
use crate::telemetry::audit::Caller;

/// What the namespaces of a session share.
#[derive(Debug)]
pub(super) struct Link {
    /// Who it says it is.
    pub(super) caller: Arc<Caller>,
    /// What the handshake request showed.
    pub(super) shown: Presented,
    /// What is on its way to the client.
    pub(super) flow: Arc<Flow>,
    /// What is on its way from the client.
    pub(super) receiving: Arc<Receiving>,
    /// The connection that carries the session once it is a WebSocket.
    websocket: SetOnce<Arc<Transport>>,
    /// Under which id requests find it; unset for a session that began as a WebSocket.
    session: OnceLock<String>,
    /// Namespaces asked for, granted or not.
    connects: AtomicUsize,
    place: Place,
}

/// Namespaces that a session may ask for: each costs the verification of a token, or an answer that
/// the engine keeps until the client takes it.
pub(super) const CONNECTS_MAX: usize = 64;

impl Link {
    /// Notes that a namespace is asked for. `false`: too often.
    pub(super) fn may_connect(&self) -> bool {
        self.connects.fetch_add(1, Ordering::Relaxed) < CONNECTS_MAX
    }

    /// The session goes on over `transport`. `false`: another WebSocket carries it already.
    pub(super) fn becomes_websocket(&self, transport: &Arc<Transport>) -> bool {
        let is_first = self.websocket.set(Arc::clone(transport)).is_ok();
        if is_first {
            transport.becomes_websocket(Arc::clone(&self.flow), Arc::clone(&self.receiving));
        }
        is_first
    }

    /// Whether a WebSocket carries the session, or tries to.
    #[must_use]
    pub(super) fn is_websocket(&self) -> bool {
        self.websocket.initialized()
    }

    /// Resolves when the session has got a WebSocket.
    pub(super) async fn websocket(&self) {
        self.websocket.wait().await;
    }

    /// Ends the session's WebSocket, if it has one, also when the client reads nothing.
    pub(super) fn kill(&self) {
        if let Some(transport) = self.websocket.get() {
            transport.kill();
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(session) = self.session.get() {
            self.place.links.polling().remove(session);
        }
    }
}

/// One open session, counted until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    links: Arc<Links>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.links.open.send_modify(|it| *it -= 1);
    }
}

/// All open sessions of this node.
#[derive(Debug, Default)]
pub(super) struct Links {
    open: watch::Sender<usize>,
    /// Sessions that began with polling: their later requests name them by id.
    polling: Mutex<HashMap<String, Weak<Link>>>,
}

impl Links {
    /// How many sessions are open.
    #[must_use]
    pub(super) fn open_count(&self) -> usize {
        *self.open.borrow()
    }

    /// Resolves when no session is open.
    pub(super) async fn all_gone(&self) {
        // Fails only without a sender, and `self` is it.
        let _closed = self.open.subscribe().wait_for(|it| *it == 0).await.is_err();
    }

    /// Counts a new session.
    #[must_use]
    pub(super) fn enter(self: &Arc<Self>) -> Place {
        self.open.send_modify(|it| *it += 1);
        Place { links: Arc::clone(self) }
    }

    /// A new session of the engine.
    #[must_use]
    pub(super) fn open(
        self: &Arc<Self>,
        caller: Arc<Caller>,
        shown: Presented,
        uploads: &Arc<Uploads>,
    ) -> Arc<Link> {
        Arc::new(Link {
            caller,
            shown,
            flow: Arc::default(),
            receiving: Arc::new(Receiving::new(Arc::clone(uploads))),
            websocket: SetOnce::new(),
            session: OnceLock::new(),
            connects: AtomicUsize::new(0),
            place: self.enter(),
        })
    }

    /// The session's id has become known.
    pub(super) fn name(&self, link: &Arc<Link>, session: String) {
        let mut polling = self.polling();
        if link.session.set(session.clone()).is_ok() {
            polling.insert(session, Arc::downgrade(link));
        }
    }

    /// The session with this id, if it began with polling and is open.
    #[must_use]
    pub(super) fn find(&self, session: &str) -> Option<Arc<Link>> {
        // Not dropped under the lock: the last holder of a link locks again to take it out.
        let found = self.polling().get(session).cloned();
        found?.upgrade()
    }

    fn polling(&self) -> MutexGuard<'_, HashMap<String, Weak<Link>>> {
        self.polling.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::config::{Heartbeat, Limits};

    #[tokio::test]
    async fn a_dropped_session_leaves_nothing_behind() {
        let links = Arc::new(Links::default());
        let address = "192.0.2.1".parse().unwrap();
        let caller = Arc::new(Caller { address, agent: None, origin: None });
        let uploads = Uploads::new(Limits::default(), Heartbeat::default(), Arc::new(|_, _| false));
        let link = links.open(caller, Presented::default(), &uploads);
        links.name(&link, "abc".to_owned());
        assert_eq!(links.open_count(), 1);
        assert!(links.find("abc").is_some());
        drop(link);
        assert!(links.find("abc").is_none());
        assert!(links.polling().is_empty());
        links.all_gone().await;
    }
}
