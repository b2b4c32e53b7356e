//! From a session's outbox to its client, and the end of a connection.

use std::sync::Arc;

use socketioxide::extract::AckSender;
use socketioxide::handler::{FromMessageParts, Value};
use socketioxide::socket::Socket;
use socketioxide::{SendError, SocketError, TransportType};
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::debug;

use crate::domain::close::{CloseReason, Ending};
use crate::domain::id::ConnId;
use crate::gateway::drain::{self, FLUSH_MAX};
use crate::gateway::flow::Load;
use crate::gateway::link::Link;
use crate::gateway::metrics::Counted;
use crate::gateway::socketio::Lane;
use crate::gateway::socketio::intake::Mouth;
use crate::hub::outbox::{OutboxReader, Outgoing};

/// Writes to one namespace of one client.
pub(super) struct Writer {
    pub(super) reader: OutboxReader,
    /// What the session asks.
    pub(super) asked_to_close: watch::Receiver<Option<CloseReason>>,
    /// What the engine tells.
    pub(super) gone: watch::Receiver<Option<CloseReason>>,
    pub(super) conn: ConnId,
    pub(super) namespace: Arc<str>,
    /// The dialect that is expected, for metrics.
    pub(super) dialect: Arc<str>,
    pub(super) link: Arc<Link>,
}

/// Why writing has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The session wants it.
    Asked(CloseReason),
    /// This node leaves.
    Leaving,
    /// The session is over and has nothing more to say.
    SessionOver,
    /// The client has gone, or was found to break the protocol.
    Gone(CloseReason),
}

impl Writer {
    /// Writes until the connection ends, and ends it.
    pub(super) async fn run(mut self, socket: Arc<Socket>, lane: Arc<Lane>) {
        let mut counted = Counted::new(Arc::clone(&self.dialect), self.link.is_websocket());
        let end = self.write(&socket, &mut counted, &lane).await;
        let reason = match end {
            End::Asked(reason) | End::Gone(reason) => reason,
            End::Leaving => CloseReason::Drain,
            End::SessionOver => CloseReason::Gone,
        };
        counted.ends(reason);
        debug!(conn.id = %self.conn, reason = reason.as_str(), "a connection ends");
        self.finish(end, &socket).await;
        let is_still_open = match end {
            End::Gone(reason) => reason == CloseReason::ProtocolViolation,
            End::Asked(_) | End::Leaving | End::SessionOver => true,
        };
        if is_still_open {
            self.hang_up(&socket, &lane).await;
        }
    }

    /// Hands over what the outbox has while there is room for it.
    async fn write(&mut self, socket: &Arc<Socket>, counted: &mut Counted, lane: &Lane) -> End {
        let turn = drain::turn(lane.inside.leaving.clone(), self.conn);
        tokio::pin!(turn);
        loop {
            let outgoing = tokio::select! {
                biased; // an end wins over work
                reason = set(&mut self.gone) => return End::Gone(reason),
                reason = set(&mut self.asked_to_close) => return End::Asked(reason),
                () = &mut turn => return End::Leaving,
                () = self.link.websocket(), if !counted.is_websocket() => {
                    counted.moves_to_websocket();
                    continue;
                }
                outgoing = next(&self.link, &mut self.reader) => outgoing,
            };
            let Some(outgoing) = outgoing else { return End::SessionOver };
            if let Err(end) = self.hand_over(socket, &outgoing) {
                return end;
            }
        }
    }

    fn hand_over(&self, socket: &Arc<Socket>, outgoing: &Outgoing) -> Result<(), End> {
        self.link.flow.handed_over(Load::of(&self.namespace, outgoing));
        let sent = match outgoing {
            Outgoing::Event(frame) => socket.emit(&*frame.event, &*frame.payload),
            Outgoing::Ack { id, payload } => {
                let mut no_packet = Value::Str("".into(), None);
                match AckSender::from_message_parts(socket, &mut no_packet, &Some(id.0)) {
                    Ok(sender) => sender.send(&**payload),
                    Err(never) => match never {},
                }
            }
        };
        sent.map_err(|error| match error {
            SendError::Socket(SocketError::Closed) => End::Gone(CloseReason::Gone),
            // Our share of the engine's queue is bounded: the client made the engine fill it.
            SendError::Socket(SocketError::InternalChannelFull) | SendError::Serialize(_) => {
                End::Gone(CloseReason::ProtocolViolation)
            }
        })
    }

    /// Stops reading, and writes what can still be written within [`FLUSH_MAX`].
    async fn finish(&mut self, end: End, socket: &Arc<Socket>) {
        // The session sees the end of its inbox after the events that it has already.
        drop(socket.extensions.remove::<Mouth>());
        let flush = async {
            match end {
                // It does not read, or is not there: waiting would help nobody.
                End::Gone(_) => return,
                End::Asked(reason) if reason.is_abrupt() => return,
                End::Asked(reason) => {
                    self.flush_ready(socket).await;
                    if reason.ending() == Ending::Disconnect {
                        self.link.flow.handed_over(Load::disconnect(&self.namespace));
                        if Arc::clone(socket).disconnect().is_err() {
                            return;
                        }
                    }
                }
                End::Leaving => self.flush_to_the_end(socket).await,
                End::SessionOver => {}
            }
            self.link.flow.drained().await;
        };
        if timeout(FLUSH_MAX, flush).await.is_err() {
            debug!(conn.id = %self.conn, "a closing connection was not flushed in time");
        }
    }

    /// What the outbox has now.
    async fn flush_ready(&mut self, socket: &Arc<Socket>) {
        while let Some(outgoing) = self.reader.try_next() {
            self.link.flow.room().await;
            if self.hand_over(socket, &outgoing).is_err() {
                return;
            }
        }
    }

    /// All that the session says until it ends.
    async fn flush_to_the_end(&mut self, socket: &Arc<Socket>) {
        while let Some(outgoing) = next(&self.link, &mut self.reader).await {
            if self.hand_over(socket, &outgoing).is_err() {
                return;
            }
        }
    }

    /// Ends the transport, and with it the session's other namespaces.
    async fn hang_up(&self, socket: &Socket, lane: &Lane) {
        self.link.kill();
        if is_websocket(socket) {
            return;
        }
        if let Some(engine) = lane.engine.upgrade() {
            engine.end_polling(socket.id.as_str()).await;
        }
    }
}

fn is_websocket(socket: &Socket) -> bool {
    match socket.transport_type() {
        TransportType::Websocket => true,
        TransportType::Polling => false,
    }
}

/// The next thing to write, once there is room for it.
async fn next(link: &Link, reader: &mut OutboxReader) -> Option<Outgoing> {
    link.flow.room().await;
    reader.next().await
}

/// Resolves when a reason is set; never if it will not be.
async fn set(reason: &mut watch::Receiver<Option<CloseReason>>) -> CloseReason {
    if let Ok(set) = reason.wait_for(Option::is_some).await
        && let Some(reason) = *set
    {
        return reason;
    }
    std::future::pending().await
}
