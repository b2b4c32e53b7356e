//! From a transport into a session's inbox: in order, without waiting, bounded in events and bytes.

use std::sync::Arc;
use std::time::Duration;

use crate::dialect::envelope::{RequestId, request_id};
use crate::domain::refusal::Refusal;
use crate::gateway::uploads::Uploads;
use crate::hub::outbox::AckId;
use crate::hub::queue::{Load, Writer, queue};
use crate::session::peer::{Held, INBOX_EVENTS_MAX, Inbound, Inbox};

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
#[derive(Debug, Clone)]
pub(super) struct Intake {
    namespace: Arc<str>,
    uploads: Arc<Uploads>,
    inbox: Writer<Inbound>,
}

impl Intake {
    /// A new inbox of a namespace: its two ends.
    pub(super) fn new(namespace: &Arc<str>, uploads: &Arc<Uploads>) -> (Self, Inbox) {
        let (inbox, reader) = queue();
        let (namespace, uploads) = (Arc::clone(namespace), Arc::clone(uploads));
        (Self { namespace, uploads, inbox }, reader)
    }

    /// Puts one event into the inbox, or its refusal where it does not fit or is too large. `held` is
    /// the room that it holds already. A session that has ended takes everything: its writer closes.
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
        let bytes = packet.len();
        let fits = |waits: Load| {
            waits.items < INBOX_EVENTS_MAX
                && (waits.bytes == 0 || waits.bytes + bytes <= INBOX_BYTES_MAX)
        };
        let event = Inbound::Event { packet: packet.into(), ack, held };
        match self.inbox.offer(event, bytes, fits) {
            Ok(()) => Ok(()),
            Err(_not_kept) => {
                let refusal = Refusal::RateLimited { retry_after: OVERFLOW_PAUSE };
                self.refuse_request(refusal, ack, request())
            }
        }
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
        let fits = |waits: Load| waits.items < INBOX_EVENTS_MAX + OVERFLOWS_MAX;
        let refused = Inbound::Refused { refusal, ack, request };
        self.inbox.offer(refused, 0, fits).map_err(|_not_even| Flooded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::config::{Heartbeat, Limits};

    fn intake() -> (Intake, Inbox) {
        let uploads = Uploads::new(Limits::default(), Heartbeat::default(), Arc::new(|_, _| false));
        Intake::new(&"/".into(), &uploads)
    }

    fn outcomes(inbox: &mut Inbox) -> (usize, usize) {
        let (mut events, mut overflows) = (0, 0);
        while let Some(inbound) = inbox.try_next() {
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
