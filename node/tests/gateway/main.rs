//! The gateway over real sockets: with the official client, and with raw ones that misbehave.
//!
//! Behind the door stands a session that only echoes; chat and Redis have no part in this.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a surprise fails the test, also in its tools"
)]

mod admission;
mod binary;
mod deflate;
mod endings;
mod envelopes;
mod figures;
mod handshake;
mod official;
mod order;
mod raw;
mod server;
mod uploads;
mod websocket;
