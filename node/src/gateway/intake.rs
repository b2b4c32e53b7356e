//! From a transport into a session's inbox: in order, without waiting, bounded in events and bytes.

use crate::hub::outbox::AckId;
use crate::hub::queue::{Load, Writer, queue};
use crate::session::peer::{INBOX_EVENTS_MAX, Inbound, Inbox};

/// Places behind the inbox for events that did not fit: each is refused in its turn, and a client
/// that overflows these too does not listen.
const OVERFLOWS_MAX: usize = 32;

/// Bytes of waiting events, unless a single one is larger.
const INBOX_BYTES_MAX: usize = 512 * 1024;

/// The client goes on sending although it is refused: its connection has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the inbox is full of refused events")]
pub(super) struct Flooded;

/// The end of an inbox that a namespace's events go into.
#[derive(Debug, Clone)]
pub(super) struct Intake {
    inbox: Writer<Inbound>,
}

impl Intake {
    /// A new inbox: its two ends.
    pub(super) fn new() -> (Self, Inbox) {
        let (inbox, reader) = queue();
        (Self { inbox }, reader)
    }

    /// Puts one event into the inbox, or its refusal where it does not fit. A session that has
    /// ended takes everything: its writer closes.
    ///
    /// # Errors
    /// Not even a refusal fits.
    pub(super) fn take(&self, packet: &str, ack: Option<AckId>) -> Result<(), Flooded> {
        let bytes = packet.len();
        let fits = |waits: Load| {
            waits.items < INBOX_EVENTS_MAX
                && (waits.bytes == 0 || waits.bytes + bytes <= INBOX_BYTES_MAX)
        };
        let event = Inbound::Event { packet: packet.into(), ack };
        if self.inbox.offer(event, bytes, fits).is_ok() {
            return Ok(());
        }
        let fits = |waits: Load| waits.items < INBOX_EVENTS_MAX + OVERFLOWS_MAX;
        self.inbox.offer(Inbound::Overflowed { ack }, 0, fits).map_err(|_not_even| Flooded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(inbox: &mut Inbox) -> (usize, usize) {
        let (mut events, mut overflows) = (0, 0);
        while let Some(inbound) = inbox.try_next() {
            match inbound {
                Inbound::Event { .. } => events += 1,
                Inbound::Overflowed { .. } => overflows += 1,
            }
        }
        (events, overflows)
    }

    #[test]
    fn what_does_not_fit_is_refused_in_its_turn_and_then_ends_the_connection() {
        let (intake, mut inbox) = Intake::new();
        for _ in 0..INBOX_EVENTS_MAX + OVERFLOWS_MAX {
            intake.take("[\"a\"]", None).unwrap();
        }
        assert_eq!(intake.take("[\"a\"]", None), Err(Flooded));
        assert_eq!(outcomes(&mut inbox), (INBOX_EVENTS_MAX, OVERFLOWS_MAX));
    }

    #[test]
    fn large_events_fill_the_inbox_by_their_bytes() {
        let (intake, mut inbox) = Intake::new();
        let large = "x".repeat(INBOX_BYTES_MAX);
        intake.take(&large, None).unwrap();
        intake.take("x", None).unwrap();
        assert_eq!(outcomes(&mut inbox), (1, 1));
        intake.take(&large, None).unwrap();
        assert_eq!(outcomes(&mut inbox), (1, 0));
    }
}
