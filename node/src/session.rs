//! One connection: its commands in order, one in flight, and its end.
//!
//! A session is two futures of one task. The *guard* watches what ends a connection whatever it
//! does: a full outbox, a token's end, no token at all. The *work* takes one command after the
//! other and, in between, pulls what its rooms have for a client that is catching up. When either
//! ends, the session leaves every room and says why.

pub mod peer;
pub mod trail;

mod auditing;
mod commands;
mod guard;
mod limits;
mod metrics;
mod packets;
mod pulling;
mod recovery;
mod rooms;
mod stats;
mod users;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tracing::{Instrument, debug, debug_span};

use crate::auth::{AuthFailure, Authenticator, Identity};
use crate::chat::Chat;
use crate::clock;
use crate::dialect::{DialectId, DialectSet, Dialects, Request};
use crate::domain::close::CloseReason;
use crate::domain::notice::Notice;
use crate::domain::refusal::Refusal;
use crate::hub::outbox::Outgoing;
use crate::hub::revocations::Hold;
use crate::hub::{Change, Hub};
use crate::lifecycle::Lifecycle;
use crate::session::auditing::Auditor;
use crate::session::guard::Guard;
use crate::session::limits::Buckets;
use crate::session::metrics::Metrics;
use crate::session::packets::Asking;
use crate::session::peer::{Inbound, Peer};
use crate::session::recovery::Recovery;
use crate::session::rooms::Rooms;
use crate::session::stats::Watching;
use crate::store::Store;
use crate::telemetry::audit::Audit;
use crate::telemetry::traces::Span;

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
    audit: Audit,
}

impl Parts {
    fn unless_revoked(&self, identity: Identity) -> Result<Identity, AuthFailure> {
        let is_revoked = self.hub.revocations().ends(&identity.pass());
        if is_revoked { Err(AuthFailure::Revoked) } else { Ok(identity) }
    }

    fn hold(&self, identity: &Identity, peer: &Peer) -> Hold {
        self.hub.revocations().hold(peer.conn, identity.pass(), &peer.outbox)
    }
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
        (auth, audit): (Arc<Authenticator>, Audit),
        lifecycle: Lifecycle,
    ) -> Self {
        let metrics = Metrics::new(dialects.events());
        let parts = Parts { config, chat, hub, store, dialects, auth, metrics, audit };
        Self { parts: Arc::new(parts), lifecycle }
    }

    /// Serves a peer until its client is gone or the session closes it: the gateway calls this
    /// once, before the client's CONNECT is answered, and then feeds the peer's inbox. Never
    /// blocks; the session runs as a task of its own. Returns the name of the dialect that is expected.
    ///
    /// # Errors
    /// The CONNECT does not say what its dialect asks for, contradicts the token, or has none where
    /// its dialect wants one at once.
    pub fn open(&self, peer: Peer) -> Result<Arc<str>, Refusal> {
        let span = debug_span!("conn", conn.id = %peer.conn, transport = peer.transport);
        let auditor = Auditor::new(self.parts.audit.clone(), Arc::clone(&peer.caller));
        let session = Session::new(Arc::clone(&self.parts), peer, auditor)?;
        let dialect = Arc::clone(self.parts.dialects.get(session.dialect).name());
        self.lifecycle.spawn("session", session.run().instrument(span));
        Ok(dialect)
    }
}

/// One connection.
struct Session {
    parts: Arc<Parts>,
    peer: Peer,
    /// What the CONNECT asked for, until it is carried out.
    greeting: Option<Request>,
    identity: Option<Identity>,
    /// The dialect that was used last; before any was, that of the handshake.
    dialect: DialectId,
    /// The dialects that were used so far.
    used: DialectSet,
    buckets: Buckets,
    rooms: Rooms,
    /// How its client can come back; `None`: it cannot.
    recovery: Option<Recovery>,
    /// Rooms that are heard without joining are heard.
    is_standing: bool,
    /// The figures that an admin has asked for.
    stats: Option<Watching>,
    guard: Guard,
    /// Of the message that is taken now.
    span: Span,
    /// Ends the connection when its token is taken back.
    hold: Option<Hold>,
    auditor: Auditor,
}

impl Session {
    fn new(parts: Arc<Parts>, mut peer: Peer, auditor: Auditor) -> Result<Self, Refusal> {
        let expected = parts.dialects.expected(&peer.venue, peer.dialect.as_deref());
        let dialect = expected.unwrap_or(parts.config.dialect);
        let needs_token = expected.is_some_and(|it| parts.dialects.get(it).needs_token());
        let greeting = greeting(&parts, dialect, needs_token, &mut peer);
        auditor.connected(peer.identity.as_ref(), greeting.as_ref().err());
        let greeting = greeting?;
        let identity = peer.identity.take();
        let expires_at = identity.as_ref().map(|it| it.expires_at);
        let guard = Guard::new(peer.outbox.clone(), expires_at, dialect);
        let rooms = Rooms::new(peer.conn, Arc::clone(parts.hub.directory()));
        let hold = identity.as_ref().map(|it| parts.hold(it, &peer));
        Ok(Self {
            parts,
            peer,
            greeting,
            identity,
            dialect,
            used: DialectSet::default(),
            buckets: Buckets::default(),
            rooms,
            recovery: None,
            is_standing: false,
            stats: None,
            guard,
            span: Span::default(),
            hold,
            auditor,
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
                () = self.peer.outbox.reviewed() => self.rooms.review(),
                () = self.rooms.may_pull(&self.peer.outbox) => self.pull().await,
                stats = stats::changed(&mut self.stats) => self.tell_stats(stats),
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
            Inbound::Event { packet, ack, held } => {
                self.event(packet, ack).await;
                drop(held);
            }
            Inbound::Refused { refusal, ack, request } => {
                self.turned_away(&refusal, &Asking { ack, request });
            }
        }
    }

    /// The user is known, and is told so.
    fn welcome(&mut self) {
        let Some(identity) = &self.identity else { return };
        let user = identity.actor.participant.clone();
        self.rooms.connect(&user, self.dialects());
        let socket = self.peer.socket.clone();
        self.tell(&Notice::Connected { user, socket });
    }

    /// In whose words the connection is told about its user: in those that it has used so far.
    fn dialects(&self) -> DialectSet {
        if self.used.is_empty() { DialectSet::of(self.dialect) } else { self.used }
    }

    /// The connection uses this dialect: it hears what that brings along, and of its user in its
    /// words too.
    async fn speak(&mut self, dialect: DialectId) {
        self.stand(dialect).await;
        self.dialect = dialect;
        if self.used.contains(dialect) {
            return;
        }
        self.used.insert(dialect);
        self.guard.speak(self.used);
        if let Some(topic) = self.rooms.speak(self.used) {
            let change = Change::Dialects(self.used);
            self.parts.hub.change(&topic, self.peer.conn, change).await;
        }
    }

    /// Tells this connection something about itself.
    fn tell(&self, notice: &Notice) {
        for spoken in self.parts.dialects.encode(self.dialects(), notice) {
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
        self.auditor.ended(self.identity.as_ref(), reason);
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

/// What the CONNECT asks for, and who asks: by a token, else by the CONNECT's words where those are
/// believed. The words must not contradict the token.
fn greeting(
    parts: &Parts,
    dialect: DialectId,
    needs_token: bool,
    peer: &mut Peer,
) -> Result<Option<Request>, Refusal> {
    let payload = peer.greeting.take();
    let payload = payload.as_ref().map(|it| &**it.expose());
    let greeting = parts.dialects.greeting(dialect, payload)?;
    if let (None, Some(greeting)) = (&peer.identity, &greeting) {
        peer.identity = parts.auth.take_at_word(&greeting.claims, clock::now());
        peer.known.store(peer.identity.is_some(), Ordering::Relaxed);
    }
    if peer.identity.is_none() && needs_token {
        return Err(Refusal::AuthRequired);
    }
    if let (Some(identity), Some(greeting)) = (&mut peer.identity, &greeting) {
        let actor = &mut identity.actor;
        greeting.claims.check(actor)?;
        actor.name_if_unnamed(greeting.claims.name.as_deref());
    }
    Ok(greeting)
}
