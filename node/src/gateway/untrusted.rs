//! What the bytes of strangers go through before anything in them is believed, for fuzz targets: the
//! node itself goes other ways to the same decoders.

use crate::gateway::packet::{HEAD_BYTES, Head, Packet};
pub use crate::gateway::websocket::untrusted::frames;

/// Reads a packet of Socket.IO, and its head by itself.
///
/// # Panics
/// The two disagree.
pub fn packet(text: &str) {
    let head = Head::parse(text.as_bytes());
    if let Ok(Packet::Event { namespace, ack, packet }) = Packet::parse(text) {
        let whole = Head { namespace, ack, packet };
        assert!(HEAD_BYTES < text.len() || head == Some(whole), "{whole:?} is not {head:?}");
    }
}
