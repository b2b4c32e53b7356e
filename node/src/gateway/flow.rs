//! How much of what was handed to the engine has not reached the kernel yet.
//!
//! The engine's queue counts packets, not bytes, and cannot be looked into. So each session has a
//! [`Flow`]: what its namespaces hand over is added, what leaves the node is taken off, and nobody
//! hands over more while too much is pending. Only packets that a namespace handed over count, on
//! both sides: a client can make the engine write pongs and refusals, and must not gain room by it.

use tokio::sync::watch;

use crate::hub::outbox::Outgoing;

/// Bytes that may be pending: some round trips of a fast client, and small beside the outbox.
const PENDING_BYTES_MAX: usize = 256 * 1024;

/// Packets that may be pending: half of the engine's queue, so that its pings always find room.
const PENDING_PACKETS_MAX: usize = ENGINE_PACKETS_MAX / 2;

/// Packets that the engine's queue of one session holds.
pub(super) const ENGINE_PACKETS_MAX: usize = 1024;

/// Packets and the bytes of their text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Load {
    /// How many.
    pub(super) packets: usize,
    /// Bytes of their text, without any framing.
    pub(super) bytes: usize,
}

impl Load {
    /// One packet.
    #[must_use]
    pub(super) fn packet(bytes: usize) -> Self {
        Self { packets: 1, bytes }
    }

    /// One packet as the engine will write it on `namespace`: `42/chat,["name",{…}]`.
    #[must_use]
    pub(super) fn of(namespace: &str, outgoing: &Outgoing) -> Self {
        let envelope = "42".len() + namespace_bytes(namespace);
        Self::packet(match outgoing {
            Outgoing::Event(frame) => {
                envelope + frame.event.len() + frame.payload.get().len() + r#"["",]"#.len()
            }
            Outgoing::Ack { id, payload } => {
                envelope + digits(id.0) + payload.get().len() + "[]".len()
            }
        })
    }

    /// The packet that ends `namespace`.
    #[must_use]
    pub(super) fn disconnect(namespace: &str) -> Self {
        Self::packet("41".len() + namespace_bytes(namespace))
    }

    /// Both together.
    #[must_use]
    pub(super) fn and(self, other: Self) -> Self {
        Self { packets: self.packets + other.packets, bytes: self.bytes + other.bytes }
    }
}

/// Bytes of a namespace in a packet; the root's is left out.
fn namespace_bytes(namespace: &str) -> usize {
    if namespace == "/" { 0 } else { namespace.len() + ",".len() }
}

fn digits(id: i64) -> usize {
    id.unsigned_abs().checked_ilog10().map_or(1, |it| it as usize + 1)
}

/// What is pending in one session.
#[derive(Debug)]
pub(super) struct Flow {
    pending: watch::Sender<Load>,
}

impl Default for Flow {
    fn default() -> Self {
        Self { pending: watch::Sender::new(Load::default()) }
    }
}

impl Flow {
    /// `load` is about to be handed to the engine.
    pub(super) fn handed_over(&self, load: Load) {
        // Nobody waits for less room, so nobody is woken.
        self.pending.send_if_modified(|pending| {
            *pending = pending.and(load);
            false
        });
    }

    /// `load` has left the node.
    pub(super) fn written(&self, load: Load) {
        if load.packets == 0 {
            return;
        }
        self.pending.send_modify(|pending| {
            pending.packets = pending.packets.saturating_sub(load.packets);
            pending.bytes = pending.bytes.saturating_sub(load.bytes);
        });
    }

    /// Resolves when one more packet may be handed over.
    pub(super) async fn room(&self) {
        self.until(|it| it.bytes < PENDING_BYTES_MAX && it.packets < PENDING_PACKETS_MAX).await;
    }

    /// Resolves when all that was handed over has left the node.
    pub(super) async fn drained(&self) {
        self.until(|it| it.packets == 0).await;
    }

    async fn until(&self, enough: impl Fn(&Load) -> bool) {
        if !enough(&self.pending.borrow()) {
            // Fails only without a sender, and `self` is it.
            let _closed = self.pending.subscribe().wait_for(|it| enough(it)).await.is_err();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use serde_json::value::RawValue;
    use tokio::time::timeout;

    use super::*;
    use crate::dialect::Frame;
    use crate::hub::outbox::AckId;

    #[test]
    fn a_packet_weighs_what_the_engine_writes() {
        let payload = || RawValue::from_string(r#"{"a":1}"#.to_owned()).unwrap();
        let event = Outgoing::Event(Arc::new(Frame::new("hi".into(), payload())));
        let ack = |id| Outgoing::Ack { id: AckId(id), payload: Arc::from(payload()) };
        let check = |namespace, outgoing: &Outgoing, text: &str| {
            assert_eq!(Load::of(namespace, outgoing), Load::packet(text.len()), "{text}");
        };
        check("/", &event, r#"42["hi",{"a":1}]"#);
        check("/chat", &event, r#"42/chat,["hi",{"a":1}]"#);
        check("/", &ack(0), r#"430[{"a":1}]"#);
        check("/chat", &ack(1234), r#"43/chat,1234[{"a":1}]"#);
    }

    #[tokio::test(start_paused = true)]
    async fn too_much_pending_leaves_no_room_until_it_is_written() {
        let flow = Flow::default();
        let load = Load::packet(PENDING_BYTES_MAX);
        flow.room().await;
        flow.handed_over(load);
        assert!(timeout(Duration::from_secs(1), flow.room()).await.is_err());
        let (_, written) = tokio::join!(flow.room(), async { flow.written(load) });
        assert_eq!(written, ());
        flow.drained().await;
    }
}
