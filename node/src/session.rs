//! One connection: its commands in order, one in flight, and its end.
//!
//! A session is two futures of one task. The *guard* watches what ends a connection whatever it
//! does: a full outbox, a token's end, no token at all. The *work* takes one command after the
//! other and, in between, pulls what its rooms have for a client that is catching up. When either
//! ends, the session leaves every room and says why.

pub mod peer;
pub mod trail;

mod commands;
mod guard;
mod limits;
mod metrics;
mod pulling;
mod recovery;
mod rooms;
mod users;

use std::sync::Arc;

use tracing::{Instrument, debug, debug_span};

use crate::auth::{Authenticator, Identity};
use crate::chat::Chat;
use crate::dialect::{DialectId, Dialects, Request};
use crate::domain::close::CloseReason;
use crate::domain::notice::Notice;
use crate::domain::refusal::Refusal;
use crate::hub::Hub;
use crate::hub::outbox::Outgoing;
use crate::lifecycle::Lifecycle;
use crate::session::guard::Guard;
use crate::session::limits::Buckets;
use crate::session::metrics::Metrics;
use crate::session::peer::{Inbound, Peer};
use crate::session::recovery::Recovery;
use crate::session::rooms::Rooms;
use crate::store::Store;

/// What every session needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// The dialect of events about the user before a connection has used any.
    pub dialect: DialectId,
    /// Rooms that a connection may have joined at once; 0: any number.
    pub rooms_per_connection: u32,
    /// Events of one connection a second, whatever its dialect says; 0: no limit.
    pub events_per_second: Option<u32>,
    /// Messages of one user a minute, whatever the dialect says; 0: no limit.
    pub messages_per_minute: Option<u32>,
    /// Status changes of one user a minute, whatever the dialect says; 0: no limit.
    pub status_per_minute: Option<u32>,
}

/// The parts of the node that sessions work with.
#[derive(Debug)]
struct Parts {
    config: Config,
    chat: Chat,
    hub: Hub,
    store: Store,
    dialects: Arc<Dialects>,
    auth: Arc<Authenticator>,
    metrics: Metrics,
}

/// Runs connections. One per node; cheap to clone.
#[derive(Debug, Clone)]
pub struct Sessions {
    parts: Arc<Parts>,
    lifecycle: Lifecycle,
}

impl Sessions {
    /// Sessions over this chat core and hub, and the store that keeps what they leave behind.
    #[must_use]
    pub fn new(
        config: Config,
        (chat, hub, store): (Chat, Hub, Store),
        dialects: Arc<Dialects>,
        auth: Arc<Authenticator>,
        lifecycle: Lifecycle,
    ) -> Self {
        let metrics = Metrics::new();
        let parts = Parts { config, chat, hub, store, dialects, auth, metrics };
        Self { parts: Arc::new(parts), lifecycle }
    }

    /// Serves a peer until its client is gone or the session closes it: the gateway calls this
    /// once, before the client's CONNECT is answered, and then feeds the peer's inbox. Never
    /// blocks; the session runs as a task of its own.
    ///
    /// # Errors
    /// The CONNECT does not say what its dialect asks for, or contradicts the token.
    pub fn open(&self, peer: Peer) -> Result<(), Refusal> {
        let span = debug_span!("conn", conn.id = %peer.conn, transport = peer.transport);
        let session = Session::new(Arc::clone(&self.parts), peer)?;
        self.lifecycle.spawn("session", session.run().instrument(span));
        Ok(())
    }
}

/// One connection.
struct Session {
    parts: Arc<Parts>,
    peer: Peer,
    /// What the CONNECT asked for, until it is carried out.
    greeting: Option<Request>,
    identity: Option<Identity>,
    /// The dialect of events about the user.
    dialect: DialectId,
    buckets: Buckets,
    rooms: Rooms,
    /// How its client can come back; `None`: it cannot.
    recovery: Option<Recovery>,
    /// Rooms that are heard without joining are heard.
    is_standing: bool,
    guard: Guard,
}

impl Session {
    fn new(parts: Arc<Parts>, mut peer: Peer) -> Result<Self, Refusal> {
        let named = peer.dialect.as_deref().and_then(|name| parts.dialects.by_name(name));
        let dialect = named
            .filter(|it| parts.dialects.speaks(*it, &peer.namespace))
            .or_else(|| parts.dialects.only_one(&peer.namespace))
            .unwrap_or(parts.config.dialect);
        let mut identity = peer.identity.take();
        let payload = peer.greeting.take();
        let payload = payload.as_ref().map(|it| &**it.expose());
        let greeting = parts.dialects.greeting(dialect, payload)?;
        if let (Some(identity), Some(greeting)) = (&mut identity, &greeting) {
            let user = &mut identity.actor.participant;
            greeting.claims.check(user)?;
            user.name_if_unnamed(greeting.claims.name.as_deref());
        }
        let expires_at = identity.as_ref().map(|it| it.expires_at);
        let guard = Guard::new(peer.outbox.clone(), expires_at);
        let rooms = Rooms::new(peer.conn, Arc::clone(parts.hub.directory()));
        Ok(Self {
            parts,
            peer,
            greeting,
            identity,
            dialect,
            buckets: Buckets::default(),
            rooms,
            recovery: None,
            is_standing: false,
            guard,
        })
    }

    async fn run(mut self) {
        let mut guard = self.guard.clone();
        let parts = Arc::clone(&self.parts);
        let dialect = self.dialect;
        if let Err(reason) = self.begin().await {
            return self.leave(reason).await;
        }
        let reason = tokio::select! {
            biased;
            reason = guard.watch(&parts.dialects, dialect) => reason,
            () = self.work() => CloseReason::Gone,
        };
        self.leave(reason).await;
    }

    /// Commands and pages by turns, until the client is gone.
    async fn work(&mut self) {
        self.stand(self.dialect).await;
        if let Some(greeting) = self.greeting.take() {
            self.greet(greeting).await;
        }
        self.keep_changes().await;
        loop {
            tokio::select! {
                () = self.rooms.may_pull(&self.peer.outbox) => self.pull().await,
                confirmed = recovery::due(self.recovery.as_ref()) => self.keep_confirmed(&confirmed).await,
                inbound = self.peer.inbox.next() => match inbound {
                    Some(inbound) => self.take(inbound).await,
                    None => return,
                },
            }
        }
    }

    async fn take(&mut self, inbound: Inbound) {
        match inbound {
            Inbound::Event { packet, ack } => self.event(&packet, ack).await,
            Inbound::Overflowed { ack } => self.overflowed(ack),
        }
    }

    /// The user is known, and is told so.
    fn welcome(&mut self) {
        let Some(identity) = &self.identity else { return };
        let user = identity.actor.participant.clone();
        self.rooms.connect(&user, self.dialect);
        let socket = self.peer.socket.clone();
        self.tell(&Notice::Connected { user, socket });
    }

    /// Tells this connection something about itself.
    fn tell(&self, notice: &Notice) {
        if let Some(spoken) = self.parts.dialects.get(self.dialect).encode(notice) {
            self.push(Outgoing::Event(spoken.frame));
        }
    }

    /// An overflow is the guard's to see.
    fn push(&self, outgoing: Outgoing) {
        self.peer.outbox.push(outgoing).ok();
    }

    async fn leave(mut self, reason: CloseReason) {
        debug!(close.reason = reason.as_str(), "connection ends");
        if reason == CloseReason::TooSlow {
            self.parts.metrics.slow_consumer_closes.increment(1);
        }
        self.stop_all_typing();
        // A gateway that is gone itself needs no reason.
        self.peer.closing.send(Some(reason)).ok();
        for topic in self.rooms.end() {
            self.parts.hub.detach(&topic, self.peer.conn).await;
            // Answered after the detaching: from then on the topic tells this connection nothing.
            let _gone = self.parts.hub.next(&topic, self.peer.conn).await;
        }
        self.leave_behind(reason).await;
    }
}
