//! One namespace of one connection, or all of a connection with envelopes, as its gateway sees it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use crate::dialect::Venue;
use crate::domain::close::CloseReason;
use crate::domain::recovery::Pid;
use crate::domain::refusal::Refusal;
use crate::gateway::inside::{Greeted, Inside};
use crate::gateway::intake::Intake;
use crate::gateway::metrics::Counted;
use crate::gateway::packet;
use crate::gateway::websocket::{Served, Visitor};
use crate::hub::outbox::{OutboxReader, Outgoing, outbox};
use crate::session::peer::{Opening, Peer};
use crate::session::trail::Trail;

/// What its session asks of the gateway.
type Closing = Pin<Box<dyn Future<Output = CloseReason> + Send>>;

/// A CONNECT that its session has not answered yet.
struct Opened {
    /// The client's Socket.IO id.
    socket: String,
    answer: oneshot::Receiver<Option<Pid>>,
}

/// A session that is open.
pub(super) struct Space {
    /// Where it is.
    pub(super) venue: Venue,
    reader: OutboxReader,
    /// Where its events go; `None`: it hears no more.
    pub(super) intake: Option<Intake>,
    /// Whether its session has said all.
    pub(super) is_over: bool,
    /// Its part in what is counted.
    pub(super) counted: Counted,
    /// What is written of its rooms; `None`: its client cannot go on from there.
    pub(super) trail: Option<Arc<Trail>>,
    opening: Option<Opened>,
    closing: Closing,
    known: Arc<AtomicBool>,
}

impl Space {
    /// Opens a namespace for a client that was greeted. Its session answers the CONNECT.
    ///
    /// # Errors
    /// What is behind the door refuses the client.
    pub(super) fn open(
        served: &Served,
        inside: &Inside,
        visitor: &Visitor,
        greeted: Greeted,
    ) -> Result<Self, Refusal> {
        let (intake, inbox) = Intake::new(served.venue.name(), &inside.uploads);
        let (outbox, reader) = outbox();
        let (closing, asked_to_close) = watch::channel(None);
        let known = Arc::new(AtomicBool::new(greeted.identity.is_some()));
        let socket = new_id();
        let (opening, trail, opened) = match &served.venue {
            Venue::Namespace(_) => {
                let (accept, answer) = oneshot::channel();
                let trail = Arc::<Trail>::default();
                let returning = greeted.returning;
                let opening = Opening { returning, trail: Arc::clone(&trail), answer: accept };
                (Some(opening), Some(trail), Some(Opened { socket: socket.clone(), answer }))
            }
            // Envelopes have no CONNECT, and no name under which a client could come back.
            Venue::Path(_) => (None, None, None),
        };
        let dialect = (inside.open)(Peer {
            conn: inside.next_conn(),
            socket,
            venue: served.venue.clone(),
            transport: "websocket",
            caller: Arc::clone(&visitor.caller),
            identity: greeted.identity,
            known: Arc::clone(&known),
            greeting: greeted.payload,
            dialect: greeted.dialect,
            opening,
            inbox,
            outbox,
            closing,
        })?;
        Ok(Self {
            venue: served.venue.clone(),
            reader,
            intake: Some(intake),
            is_over: false,
            counted: Counted::new(dialect, true),
            trail,
            opening: opened,
            closing: Box::pin(asked(asked_to_close)),
            known,
        })
    }

    /// The next thing to write: the answer to the CONNECT, then what the session says. `None`: it
    /// has said all.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Said>> {
        if let Some(Opened { socket, answer }) = &mut self.opening {
            let answer = ready!(Pin::new(answer).poll(cx)).ok();
            let connected = answer.map(|pid| packet::connected(self.venue.name(), socket, pid));
            self.opening = None;
            if answer.flatten().is_none() {
                self.trail = None;
            }
            return Poll::Ready(connected.map(Said::Connected));
        }
        let outgoing = ready!(self.reader.poll_next(cx));
        Poll::Ready(outgoing.map(|it| self.noted(it)))
    }

    /// As [`Self::poll_next`], without waiting.
    pub(super) fn try_next(&mut self) -> Option<Said> {
        if self.opening.is_some() {
            return None;
        }
        self.reader.try_next().map(|it| self.noted(it))
    }

    fn noted(&self, outgoing: Outgoing) -> Said {
        if let (Some(trail), Outgoing::Event(frame)) = (&self.trail, &outgoing)
            && let Some(offset) = frame.offset
        {
            trail.told(offset.event);
        }
        Said::Outgoing(outgoing)
    }

    /// A ping is written next.
    pub(super) fn pinged(&self) {
        if let Some(trail) = &self.trail {
            trail.pinged(self.reader.is_empty());
        }
    }

    /// The client has answered the last ping.
    pub(super) fn ponged(&self) {
        if let Some(trail) = &self.trail {
            trail.ponged();
        }
    }

    /// The client leaves it for good.
    pub(super) fn left(&self) {
        if let Some(trail) = &self.trail {
            trail.left();
        }
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

/// Something to be written.
pub(super) enum Said {
    /// The packet that answers the CONNECT.
    Connected(String),
    /// What the session says.
    Outgoing(Outgoing),
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
