//! One connection: its commands in order, one in flight, and its end.

pub mod peer;

use crate::session::peer::Peer;

/// Runs connections. One per node; cheap to share.
#[derive(Debug)]
pub struct Sessions {}

impl Sessions {
    /// Serves a peer until its client is gone or the session closes it: the gateway calls this
    /// once, before the client's CONNECT is answered, and then feeds the peer's inbox. Never
    /// blocks; the session runs as a task of its own.
    pub fn open(&self, _peer: Peer) {
        unimplemented!()
    }
}
