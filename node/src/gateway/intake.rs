//! From a transport into a session's inbox: in order, without waiting, bounded in events and bytes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::dialect::envelope::{RequestId, request_id};
use crate::domain::refusal::Refusal;
use crate::gateway::uploads::Uploads;
use crate::hub::outbox::AckId;
use crate::session::peer::{Held, INBOX_EVENTS_MAX, Inbound};

/// Places behind the inbox for events that did not fit: each is refused in its turn, and a client
/// that overflows these too does not listen.
const OVERFLOWS_MAX: usize = 32;

/// Bytes of waiting events, unless a single one is larger.
const INBOX_BYTES_MAX: usize = 512 * 1024;

/// What a client whose inbox is full should wait.
const OVERFLOW_PAUSE: Duration = Duration::from_secs(1);

/// The client goes on sending although it is refused: its connection has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the inbox is full of refused events")]
pub(super) struct Flooded;

/// The end of an inbox that a namespace's events go into.
#[derive(Clone)]
pub(super) struct Intake {
    namespace: Arc<str>,
    uploads: Arc<Uploads>,
    inbox: mpsc::Sender<Inbound>,
    waiting: Arc<Mutex<WaitingSizes>>,
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
    /// A new inbox of a namespace: its two ends.
    pub(super) fn new(
        namespace: &Arc<str>,
        uploads: &Arc<Uploads>,
    ) -> (Self, mpsc::Receiver<Inbound>) {
        let (inbox, receiver) = mpsc::channel(INBOX_EVENTS_MAX + OVERFLOWS_MAX);
        let (namespace, uploads) = (Arc::clone(namespace), Arc::clone(uploads));
        (Self { namespace, uploads, inbox, waiting: Arc::default() }, receiver)
    }

    /// Puts one event into the inbox, or its refusal where it does not fit or is too large. `held` is
    /// the room that it holds already.
    ///
    /// # Errors
    /// Not even a refusal fits.
    pub(super) fn take(&self, packet: &str, ack: Option<AckId>, held: Held) -> Result<(), Flooded> {
        self.judge(packet, ack, held, || None)
    }

    /// Puts one envelope into the inbox, or its refusal where it does not fit or is too large.
    ///
    /// # Errors
    /// Not even a refusal fits.
    pub(super) fn take_envelope(&self, text: &str) -> Result<(), Flooded> {
        self.judge(text, None, None, || request_id(text))
    }

    fn judge(
        &self,
        packet: &str,
        ack: Option<AckId>,
        mut held: Held,
        request: impl FnOnce() -> Option<RequestId>,
    ) -> Result<(), Flooded> {
        if let Err(refusal) = self.uploads.admit(&self.namespace, packet, &mut held) {
            return self.refuse_request(refusal, ack, request());
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.keep(self.inbox.max_capacity() - self.inbox.capacity());
        let fits = OVERFLOWS_MAX < self.inbox.capacity()
            && (waiting.bytes == 0 || waiting.bytes + packet.len() <= INBOX_BYTES_MAX);
        let (inbound, bytes) = if fits {
            (Inbound::Event { packet: packet.into(), ack, held }, packet.len())
        } else {
            let refusal = Refusal::RateLimited { retry_after: OVERFLOW_PAUSE };
            (Inbound::Refused { refusal, ack, request: request() }, 0)
        };
        self.put(inbound, bytes, &mut waiting)
    }

    /// Puts the refusal of an event that is not taken into the inbox.
    ///
    /// # Errors
    /// It does not fit.
    pub(super) fn refuse(&self, refusal: Refusal, ack: Option<AckId>) -> Result<(), Flooded> {
        self.refuse_request(refusal, ack, None)
    }

    fn refuse_request(
        &self,
        refusal: Refusal,
        ack: Option<AckId>,
        request: Option<RequestId>,
    ) -> Result<(), Flooded> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.keep(self.inbox.max_capacity() - self.inbox.capacity());
        self.put(Inbound::Refused { refusal, ack, request }, 0, &mut waiting)
    }

    fn put(
        &self,
        inbound: Inbound,
        bytes: usize,
        waiting: &mut WaitingSizes,
    ) -> Result<(), Flooded> {
        match self.inbox.try_send(inbound) {
            Ok(()) => {
                waiting.add(bytes);
                Ok(())
            }
            Err(TrySendError::Full(_)) => Err(Flooded),
            Err(TrySendError::Closed(_)) => Ok(()), // the session has ended; its writer closes
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::config::{Heartbeat, Limits};

    fn intake() -> (Intake, mpsc::Receiver<Inbound>) {
        let uploads = Uploads::new(Limits::default(), Heartbeat::default(), Arc::new(|_, _| false));
        Intake::new(&"/".into(), &uploads)
    }

    fn outcomes(inbox: &mut mpsc::Receiver<Inbound>) -> (usize, usize) {
        let (mut events, mut overflows) = (0, 0);
        while let Ok(inbound) = inbox.try_recv() {
            match inbound {
                Inbound::Event { .. } => events += 1,
                Inbound::Refused { .. } => overflows += 1,
            }
        }
        (events, overflows)
    }

    #[test]
    fn what_does_not_fit_is_refused_in_its_turn_and_then_ends_the_connection() {
        let (intake, mut inbox) = intake();
        for _ in 0..INBOX_EVENTS_MAX + OVERFLOWS_MAX {
            intake.take("[\"a\"]", None, None).unwrap();
        }
        assert_eq!(intake.take("[\"a\"]", None, None), Err(Flooded));
        assert_eq!(outcomes(&mut inbox), (INBOX_EVENTS_MAX, OVERFLOWS_MAX));
    }

    #[test]
    fn large_events_fill_the_inbox_by_their_bytes() {
        let (intake, mut inbox) = intake();
        let large = "x".repeat(INBOX_BYTES_MAX);
        intake.take(&large, None, None).unwrap();
        intake.take("x", None, None).unwrap();
        assert_eq!(outcomes(&mut inbox), (1, 1));
        intake.take(&large, None, None).unwrap();
        assert_eq!(outcomes(&mut inbox), (1, 0));
    }
}
