//! One namespace of one connection, or all of a connection with envelopes, as its gateway sees it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::sync::watch;
use uuid::Uuid;

use crate::dialect::Venue;
use crate::domain::close::CloseReason;
use crate::domain::refusal::Refusal;
use crate::gateway::inside::{Greeted, Inside};
use crate::gateway::intake::Intake;
use crate::gateway::metrics::Counted;
use crate::gateway::websocket::{Served, Visitor};
use crate::hub::outbox::{OutboxReader, outbox};
use crate::session::peer::Peer;

/// What its session asks of the gateway.
type Closing = Pin<Box<dyn Future<Output = CloseReason> + Send>>;

/// A session that is open.
pub(super) struct Space {
    /// Where it is.
    pub(super) venue: Venue,
    /// What its session says.
    pub(super) reader: OutboxReader,
    /// Where its events go; `None`: it hears no more.
    pub(super) intake: Option<Intake>,
    /// Whether its session has said all.
    pub(super) is_over: bool,
    /// Its part in what is counted.
    pub(super) counted: Counted,
    closing: Closing,
    known: Arc<AtomicBool>,
}

impl Space {
    /// Opens a namespace for a client that was greeted. Returns the client's Socket.IO id with it.
    ///
    /// # Errors
    /// What is behind the door refuses the client.
    pub(super) fn open(
        served: &Served,
        inside: &Inside,
        visitor: &Visitor,
        greeted: Greeted,
    ) -> Result<(Self, String), Refusal> {
        let (intake, inbox) = Intake::new(served.venue.name(), &inside.uploads);
        let (outbox, reader) = outbox();
        let (closing, asked_to_close) = watch::channel(None);
        let known = Arc::new(AtomicBool::new(greeted.identity.is_some()));
        let socket = new_id();
        let dialect = (inside.open)(Peer {
            conn: inside.next_conn(),
            socket: socket.clone(),
            venue: served.venue.clone(),
            transport: "websocket",
            caller: Arc::clone(&visitor.caller),
            identity: greeted.identity,
            known: Arc::clone(&known),
            greeting: greeted.payload,
            dialect: greeted.dialect,
            inbox,
            outbox,
            closing,
        })?;
        let space = Self {
            venue: served.venue.clone(),
            reader,
            intake: Some(intake),
            is_over: false,
            counted: Counted::new(dialect, true),
            closing: Box::pin(asked(asked_to_close)),
            known,
        };
        Ok((space, socket))
    }

    /// Resolves when the session wants the connection to end. Not to be asked again afterwards.
    pub(super) fn poll_closing(&mut self, cx: &mut Context<'_>) -> Poll<CloseReason> {
        self.closing.as_mut().poll(cx)
    }

    /// Whether it is the Socket.IO namespace `path`.
    #[must_use]
    pub(super) fn is_namespace(&self, path: &str) -> bool {
        matches!(&self.venue, Venue::Namespace(own) if **own == *path)
    }

    /// Whether its client has shown who it is.
    #[must_use]
    pub(super) fn is_known(&self) -> bool {
        self.known.load(Ordering::Relaxed)
    }
}

/// An id that nobody can guess.
pub(super) fn new_id() -> String {
    Uuid::new_v4().simple().to_string()
}

/// Resolves when a reason is set; never if it will not be.
async fn asked(mut reason: watch::Receiver<Option<CloseReason>>) -> CloseReason {
    if let Ok(set) = reason.wait_for(Option::is_some).await
        && let Some(reason) = *set
    {
        return reason;
    }
    std::future::pending().await
}
