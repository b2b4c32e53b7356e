//! What a gateway hands over when a client has connected to a namespace.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};

use crate::auth::Identity;
use crate::dialect::Venue;
use crate::dialect::envelope::RequestId;
use crate::domain::close::CloseReason;
use crate::domain::id::ConnId;
use crate::domain::recovery::{Offset, Pid};
use crate::domain::refusal::Refusal;
use crate::hub::outbox::{AckId, Outbox};
use crate::hub::queue::Reader;
use crate::secret::Secret;
use crate::session::trail::Trail;
use crate::telemetry::audit::Caller;

/// Events that may wait for their turn; the next one is refused as too frequent.
pub const INBOX_EVENTS_MAX: usize = 256;

/// Room of the node for a large event, given back when it is dropped; ordinary ones hold none.
pub type Held = Option<OwnedSemaphorePermit>;

/// One event as it came: the text of the JSON array `["name", …arguments]`, or of an envelope,
/// not yet checked.
#[derive(Debug)]
pub enum Inbound {
    /// An event.
    Event {
        /// The packet's JSON.
        packet: Box<str>,
        /// Where the answer goes, if the client wants one.
        ack: Option<AckId>,
        /// The room that it holds until it is carried out.
        held: Held,
    },
    /// An event that is not taken: it found the inbox nearly full, or is too large. The gateway keeps
    /// the last places for these, and beyond them closes the connection as a protocol violation.
    Refused {
        /// Why.
        refusal: Refusal,
        /// Where the refusal goes, if the client wants one.
        ack: Option<AckId>,
        /// The client's own id of what it asked, if it gave one.
        request: Option<RequestId>,
    },
}

/// What a client sends, in order.
pub type Inbox = Reader<Inbound>;

/// A client that wants what it had over an earlier connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Returning {
    /// That connection's private name.
    pub pid: Pid,
    /// The newest room event that it heard there, if any.
    pub offset: Option<Offset>,
}

/// A CONNECT that is to be answered, with a private name under which the client may come back.
#[derive(Debug)]
pub struct Opening {
    /// What the client asks to go on from.
    pub returning: Option<Returning>,
    /// What is written to the connection, and what of that its client has confirmed.
    pub trail: Arc<Trail>,
    /// Takes the answer; until then nothing is written. Dropped without one, nothing ever is.
    pub answer: oneshot::Sender<Option<Pid>>,
}

impl Opening {
    /// The client is connected, and may come back under this name, if it is given one.
    pub fn accept(self, pid: Option<Pid>) {
        // A gateway that is gone tells its client nothing.
        self.answer.send(pid).ok();
    }
}

/// One namespace of one connection, or a connection of its own.
#[derive(Debug)]
pub struct Peer {
    /// Its number on this node.
    pub conn: ConnId,
    /// The client's own Socket.IO id. It goes to its owner alone: it opens a polling session.
    pub socket: String,
    /// Where it connected.
    pub venue: Venue,
    /// The transport's name in metrics.
    pub transport: &'static str,
    /// Who is at the other end.
    pub caller: Arc<Caller>,
    /// Who it is; `None` until it has shown a token.
    pub identity: Option<Identity>,
    /// Whether it has shown who it is, now or later: set by the session, and the gateway takes
    /// larger packets from then on.
    pub known: Arc<AtomicBool>,
    /// The CONNECT's payload; it may hold a token.
    pub greeting: Option<Secret<Box<str>>>,
    /// The dialect that the handshake asked for.
    pub dialect: Option<String>,
    /// How the client is told that it is connected. `None`: it is told already, and cannot come
    /// back to what it had.
    pub opening: Option<Opening>,
    /// What the client sends, in order. Ends when the client is gone.
    pub inbox: Inbox,
    /// What the client will be told.
    pub outbox: Outbox,
    /// Set once by the session: the gateway flushes if it can and ends the connection.
    pub closing: watch::Sender<Option<CloseReason>>,
}
