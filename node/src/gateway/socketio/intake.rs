//! What the engine tells of a socket: its events, and that its client has gone.

use std::sync::Arc;

use socketioxide::adapter::LocalAdapter;
use socketioxide::handler::{DisconnectHandler, MessageHandler, Value};
use socketioxide::socket::{DisconnectReason, Socket};
use tokio::sync::watch;

use crate::domain::close::CloseReason;
use crate::gateway::intake::{Flooded, Intake};
use crate::gateway::link::Link;
use crate::gateway::socketio::{Waiting, close_reason};
use crate::gateway::uploads::Receiving;
use crate::hub::outbox::AckId;

/// Where what a socket's client does is put.
#[derive(Clone)]
pub(super) struct Mouth {
    intake: Intake,
    receiving: Arc<Receiving>,
    gone: Arc<watch::Sender<Option<CloseReason>>>,
}

impl Mouth {
    /// One for `intake` of a session, and the news that the client has gone.
    pub(super) fn new(intake: Intake, link: &Link) -> (Self, watch::Receiver<Option<CloseReason>>) {
        let (gone, is_gone) = watch::channel(None);
        let receiving = Arc::clone(&link.receiving);
        (Self { intake, receiving, gone: Arc::new(gone) }, is_gone)
    }

    fn gone_because(&self, reason: CloseReason) {
        self.gone.send_if_modified(|gone| {
            let is_first = gone.is_none();
            gone.get_or_insert(reason);
            is_first
        });
    }
}

/// Takes a socket's events.
pub(super) struct Arrivals;

impl MessageHandler<LocalAdapter, Self> for Arrivals {
    fn call(&self, socket: Arc<Socket>, packet: Value, ack: Option<i64>) {
        // Without an intake the connection is being closed and hears no more.
        let Some(mouth) = socket.extensions.get::<Mouth>() else { return };
        match packet {
            Value::Str(text, _no_attachments) => {
                let held = mouth.receiving.take();
                if let Err(Flooded) = mouth.intake.take(text.as_str(), ack.map(AckId), held) {
                    mouth.gone_because(CloseReason::ProtocolViolation);
                }
            }
            Value::Bytes(_) => mouth.gone_because(CloseReason::ProtocolViolation),
        }
    }
}

/// Ends a socket's inbox when its client goes.
pub(super) struct Departure;

impl DisconnectHandler<LocalAdapter, Self> for Departure {
    fn call_with_defer(
        &self,
        socket: Arc<Socket>,
        reason: DisconnectReason,
        defer: fn(Arc<Socket>),
    ) {
        if let Some(mouth) = socket.extensions.remove::<Mouth>() {
            mouth.gone_because(close_reason(reason));
        }
        drop(socket.extensions.remove::<Waiting>());
        defer(socket);
    }
}
