//! The gateway over real sockets: with the official client, and with raw ones that misbehave.
//!
//! Behind the door stands a session that only echoes; chat and Redis have no part in this.

mod admission;
mod endings;
mod handshake;
mod official;
mod order;
mod raw;
mod server;
