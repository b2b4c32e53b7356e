//! From the engine into a session's inbox: in order, without waiting, bounded in events and bytes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use socketioxide::adapter::LocalAdapter;
use socketioxide::handler::{DisconnectHandler, MessageHandler, Value};
use socketioxide::socket::{DisconnectReason, Socket};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};

use crate::domain::close::CloseReason;
use crate::gateway::socketio::{Waiting, close_reason};
use crate::hub::outbox::AckId;
use crate::session::peer::{INBOX_EVENTS_MAX, Inbound};

/// Places behind the inbox for events that did not fit: each is refused in its turn, and a client
/// that overflows these too does not listen.
const OVERFLOWS_MAX: usize = 32;

/// Bytes of waiting events, unless a single one is larger.
const INBOX_BYTES_MAX: usize = 512 * 1024;

/// The end of an inbox that a namespace's events go into.
#[derive(Clone)]
pub(super) struct Intake {
    inbox: mpsc::Sender<Inbound>,
    waiting: Arc<Mutex<WaitingSizes>>,
    gone: Arc<watch::Sender<Option<CloseReason>>>,
}

/// Sizes of the events that the session has not taken yet.
#[derive(Default)]
struct WaitingSizes {
    sizes: VecDeque<usize>,
    bytes: usize,
}

impl WaitingSizes {
    /// Forgets all but the newest `count`: the session takes the oldest first.
    fn keep(&mut self, count: usize) {
        while count < self.sizes.len() {
            self.bytes -= self.sizes.pop_front().unwrap_or_default();
        }
    }

    fn add(&mut self, bytes: usize) {
        self.sizes.push_back(bytes);
        self.bytes += bytes;
    }
}

impl Intake {
    /// A new inbox: its two ends, and the news that the client has gone.
    pub(super) fn new() -> (Self, mpsc::Receiver<Inbound>, watch::Receiver<Option<CloseReason>>) {
        let (inbox, receiver) = mpsc::channel(INBOX_EVENTS_MAX + OVERFLOWS_MAX);
        let (gone, is_gone) = watch::channel(None);
        (Self { inbox, waiting: Arc::default(), gone: Arc::new(gone) }, receiver, is_gone)
    }

    fn take(&self, packet: &str, ack: Option<AckId>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.keep(self.inbox.max_capacity() - self.inbox.capacity());
        let fits = OVERFLOWS_MAX < self.inbox.capacity()
            && (waiting.bytes == 0 || waiting.bytes + packet.len() <= INBOX_BYTES_MAX);
        let (inbound, bytes) = if fits {
            (Inbound::Event { packet: packet.into(), ack }, packet.len())
        } else {
            (Inbound::Overflowed { ack }, 0)
        };
        match self.inbox.try_send(inbound) {
            Ok(()) => waiting.add(bytes),
            Err(TrySendError::Full(_)) => self.gone_because(CloseReason::ProtocolViolation),
            Err(TrySendError::Closed(_)) => {} // the session has ended; its writer closes
        }
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
        let Some(intake) = socket.extensions.get::<Intake>() else { return };
        match packet {
            Value::Str(text, _no_attachments) => intake.take(text.as_str(), ack.map(AckId)),
            Value::Bytes(_) => intake.gone_because(CloseReason::ProtocolViolation),
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
        if let Some(intake) = socket.extensions.remove::<Intake>() {
            intake.gone_because(close_reason(reason));
        }
        drop(socket.extensions.remove::<Waiting>());
        defer(socket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(inbox: &mut mpsc::Receiver<Inbound>) -> (usize, usize) {
        let (mut events, mut overflows) = (0, 0);
        while let Ok(inbound) = inbox.try_recv() {
            match inbound {
                Inbound::Event { .. } => events += 1,
                Inbound::Overflowed { .. } => overflows += 1,
            }
        }
        (events, overflows)
    }

    #[test]
    fn what_does_not_fit_is_refused_in_its_turn_and_then_ends_the_connection() {
        let (intake, mut inbox, gone) = Intake::new();
        for _ in 0..INBOX_EVENTS_MAX + OVERFLOWS_MAX {
            intake.take("[\"a\"]", None);
        }
        assert_eq!(*gone.borrow(), None);
        intake.take("[\"a\"]", None);
        assert_eq!(*gone.borrow(), Some(CloseReason::ProtocolViolation));
        assert_eq!(outcomes(&mut inbox), (INBOX_EVENTS_MAX, OVERFLOWS_MAX));
    }

    #[test]
    fn large_events_fill_the_inbox_by_their_bytes() {
        let (intake, mut inbox, _gone) = Intake::new();
        let large = "x".repeat(INBOX_BYTES_MAX);
        intake.take(&large, None);
        intake.take("x", None);
        assert_eq!(outcomes(&mut inbox), (1, 1));
        intake.take(&large, None);
        assert_eq!(outcomes(&mut inbox), (1, 0));
    }
}
