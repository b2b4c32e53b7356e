//! The Socket.IO lane; the only place that knows socketioxide.
//!
//! Its handlers are all written against its traits, not as closures: those would be spawned, and
//! events could overtake each other or come before the handler that waits for them. Everything is
//! set up in the middleware, which runs before a CONNECT is answered.

pub(super) mod engine;
mod intake;
mod writer;

use std::fmt::Display;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use socketioxide::TransportType;
use socketioxide::adapter::LocalAdapter;
use socketioxide::handler::{ConnectHandler, Value};
use socketioxide::socket::Socket;
use tokio::sync::watch;

use crate::dialect::Venue;
use crate::domain::close::CloseReason;
use crate::domain::refusal::Refusal;
use crate::gateway::inside::{Greeted, Inside};
use crate::gateway::intake::Intake;
use crate::gateway::link::Link;
use crate::gateway::metrics::Handshake;
use crate::gateway::socketio::engine::Engine;
use crate::gateway::socketio::intake::{Arrivals, Departure, Mouth};
use crate::gateway::socketio::writer::Writer;
use crate::hub::outbox::outbox;
use crate::session::peer::Peer;

/// What the namespaces of a node share.
pub(super) struct Lane {
    /// What both lanes share.
    pub(super) inside: Arc<Inside>,
    /// The engine that these namespaces belong to.
    pub(super) engine: Weak<Engine>,
}

/// One namespace: greets whoever connects to it.
#[derive(Clone)]
pub(super) struct Namespace {
    path: Arc<str>,
    lane: Arc<Lane>,
}

/// A writer that waits for its CONNECT to be answered.
type Waiting = Arc<Writer>;

impl Namespace {
    /// The namespace `path`.
    #[must_use]
    pub(super) fn new(path: Arc<str>, lane: Arc<Lane>) -> Self {
        Self { path, lane }
    }

    /// Its path, with the slash.
    #[must_use]
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Who asks to connect, and in which dialect.
    fn identify(&self, link: &Link, payload: Option<&str>) -> Result<Greeted, Refusal> {
        // The door has counted those that were posted.
        if link.is_websocket() && !link.may_connect() {
            link.kill();
            return Err(Refusal::AuthRequired);
        }
        self.lane.inside.identify(&link.caller, &link.shown, payload)
    }

    /// Sets everything up for a client and hands it to its session.
    fn greet(&self, socket: &Arc<Socket>, payload: Option<&str>) -> Result<(), Refusal> {
        // There always is one: the door puts it into every handshake.
        let link = socket.req_parts().extensions.get::<Arc<Link>>().cloned();
        let link = link.ok_or(Refusal::AccessDenied)?;
        // The engine has no way to give back what a client had: it begins anew.
        let Greeted { identity, dialect, payload, returning: _ } = self.identify(&link, payload)?;
        if identity.is_some() {
            link.receiving.known.store(true, Ordering::Relaxed);
        }
        let (intake, inbox) = Intake::new(&self.path, &self.lane.inside.uploads);
        let (mouth, gone) = Mouth::new(intake, &link);
        let (outbox, reader) = outbox();
        let (closing, asked_to_close) = watch::channel(None);
        let conn = self.lane.inside.next_conn();
        socket.extensions.insert::<Mouth>(mouth);
        socket.on_fallback(Arrivals);
        socket.on_disconnect(Departure);
        let dialect = (self.lane.inside.open)(Peer {
            conn,
            socket: socket.id.to_string(),
            venue: Venue::Namespace(Arc::clone(&self.path)),
            transport: transport_name(socket),
            caller: Arc::clone(&link.caller),
            known: Arc::clone(&link.receiving.known),
            identity,
            greeting: payload,
            dialect,
            opening: None,
            inbox,
            outbox,
            closing,
        })?;
        let writer = Writer {
            reader,
            asked_to_close,
            gone,
            conn,
            namespace: Arc::clone(&self.path),
            dialect,
            link,
        };
        socket.extensions.insert::<Waiting>(Arc::new(writer));
        Ok(())
    }
}

impl Namespace {
    /// A refusal would stop the client, and this passes: without a transport it comes back by itself.
    async fn hang_up(&self, socket: &Socket) {
        if let Some(link) = socket.req_parts().extensions.get::<Arc<Link>>() {
            link.kill();
        }
        if let Some(engine) = self.lane.engine.upgrade() {
            engine.end_polling(socket.id.as_str()).await;
        }
    }
}

fn transport_name(socket: &Socket) -> &'static str {
    match socket.transport_type() {
        TransportType::Polling => "polling",
        TransportType::Websocket => "websocket",
    }
}

impl ConnectHandler<LocalAdapter, Self> for Namespace {
    /// Runs once the CONNECT is answered: before, nothing may be written.
    fn call(&self, socket: Arc<Socket>, _auth: Option<Value>) {
        let writer = socket.extensions.remove::<Waiting>().and_then(Arc::into_inner);
        // None: the client has gone meanwhile.
        if let Some(writer) = writer {
            let run = writer.run(socket, Arc::clone(&self.lane));
            self.lane.inside.lifecycle.spawn("writer", run);
        }
    }

    fn call_middleware<'a>(
        &'a self,
        socket: Arc<Socket>,
        auth: &'a Option<Value>,
    ) -> Pin<Box<dyn Future<Output = Result<(), Box<dyn Display + Send>>> + Send + 'a>> {
        let payload = auth.as_ref().and_then(Value::as_str).map(|it| it.as_str());
        let greeted = self.greet(&socket, payload);
        Handshake::of_connect(greeted.as_ref().err()).count();
        Box::pin(async move {
            let Err(refusal) = greeted else { return Ok(()) };
            if let Refusal::Unavailable(_) = refusal {
                self.hang_up(&socket).await;
            }
            // The engine cannot carry data beside the message, so the message is the code.
            Err(Box::new(refusal.code()) as Box<dyn Display + Send>)
        })
    }
}

/// A connection that the client, or the engine for it, has ended.
fn close_reason(reason: socketioxide::socket::DisconnectReason) -> CloseReason {
    use socketioxide::socket::DisconnectReason as Engine;
    match reason {
        Engine::HeartbeatTimeout => CloseReason::HeartbeatMissed,
        Engine::PacketParsingError | Engine::MultipleHttpPollingError => {
            CloseReason::ProtocolViolation
        }
        Engine::TransportClose
        | Engine::TransportError
        | Engine::ClientNSDisconnect
        | Engine::ServerNSDisconnect
        | Engine::ClosingServer => CloseReason::Gone,
    }
}
