//! The lean lane's part of what the bytes of strangers go through.

use crate::gateway::websocket::frame::{Decoder, Heard};

/// Bytes of one message; small, so that limits are met.
const MESSAGE_BYTES_MAX: usize = 4096;

/// Reads frames of a client, deflated ones too, that come in pieces of `piece` bytes. Tells what is
/// heard, and at the end how the connection would be closed.
#[must_use]
pub fn frames(bytes: &[u8], piece: usize) -> Vec<String> {
    let mut decoder = Decoder::new(MESSAGE_BYTES_MAX, true);
    let mut told = Vec::new();
    for mut piece in bytes.chunks(piece.max(1)) {
        loop {
            match decoder.decode(&mut piece) {
                Ok(Some(Heard::Part)) => {}
                Ok(Some(heard)) => told.push(format!("{heard:?}")),
                Ok(None) => break,
                Err(code) => {
                    told.push(format!("{code:?}"));
                    return told;
                }
            }
        }
    }
    told
}
