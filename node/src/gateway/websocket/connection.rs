//! The task of one connection: reads and writes it, and is woken by everything that concerns it.
//!
//! It is one state machine polled by hand: each thing that it waits for is polled in turn, and
//! nothing in it waits for one thing only. So a client that does not read is still heard, and one
//! that is closed is closed at once.

use std::future::{Future, poll_fn};
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};
use tracing::debug;

use crate::domain::close::CloseReason;
use crate::domain::refusal::Refusal;
use crate::gateway::drain;
use crate::gateway::intake::Flooded;
use crate::gateway::link::CONNECTS_MAX;
use crate::gateway::metrics::Handshake;
use crate::gateway::packet::{self, Malformed, Packet};
use crate::gateway::transport::{Killed, Socket};
use crate::gateway::websocket::frame::{CloseCode, Decoder, Heard};
use crate::gateway::websocket::heart::{Due, Heart};
use crate::gateway::websocket::output::Output;
use crate::gateway::websocket::partial::Partial;
use crate::gateway::websocket::space::{Space, new_id};
use crate::gateway::websocket::{Lane, Speech, Visitor};
use crate::session::peer::Held;

/// Bytes read at once.
const READ_BYTES: usize = 8 * 1024;

/// Longest CONNECT packet: a namespace and a token.
const CONNECT_BYTES_MAX: usize = 16 * 1024;

/// Longest name of a namespace: that of an unknown one is repeated to who asked.
const NAMESPACE_BYTES_MAX: usize = 256;

/// What comes from the node and not from the client.
#[derive(Debug, Clone, Copy)]
enum Signal {
    /// It is this connection's turn to leave.
    Leave,
    /// The connection is to end where it stands.
    Die,
}

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The session of the space with this place wants it.
    Asked(usize, CloseReason),
    /// This node leaves.
    Leaving,
    /// A session is over and has nothing more to say.
    SessionOver,
    /// The client closes, with this code.
    Closed(Option<u16>),
    /// The client broke the protocol, or a limit.
    Broken(CloseCode),
    /// Nobody is there to hear anything.
    Gone(CloseReason),
}

impl End {
    fn reason(self) -> CloseReason {
        match self {
            Self::Asked(_, reason) | Self::Gone(reason) => reason,
            Self::Leaving => CloseReason::Drain,
            Self::SessionOver | Self::Closed(_) => CloseReason::Gone,
            Self::Broken(_) => CloseReason::ProtocolViolation,
        }
    }
}

impl From<CloseCode> for End {
    fn from(code: CloseCode) -> Self {
        Self::Broken(code)
    }
}

impl From<Malformed> for End {
    fn from(Malformed: Malformed) -> Self {
        Self::Broken(CloseCode::Protocol)
    }
}

impl From<Flooded> for End {
    fn from(Flooded: Flooded) -> Self {
        Self::Broken(CloseCode::Policy)
    }
}

impl From<io::Error> for End {
    fn from(_gone: io::Error) -> Self {
        Self::Gone(CloseReason::Gone)
    }
}

/// One connection.
pub(super) struct Connection {
    pub(super) socket: Socket,
    pub(super) spaces: Vec<Space>,
    pub(super) output: Output,
    pub(super) lane: Arc<Lane>,
    pub(super) visitor: Visitor,
    pub(super) decoder: Decoder,
    /// Room for the packet that is under way, if it is a large one.
    pub(super) held: Held,
    /// An event whose bytes have not all come.
    pub(super) partial: Option<Box<Partial>>,
    pub(super) is_known: bool,
    /// Namespaces asked for, granted or not.
    connects: usize,
    pub(super) heart: Heart,
    signal: Pin<Box<dyn Future<Output = Signal> + Send>>,
}

impl Connection {
    /// A connection that has just been upgraded, with deflated messages or without. Boxed: it is
    /// moved through several futures, each of which would keep room for it.
    #[must_use]
    pub(super) fn upgraded(
        lane: Arc<Lane>,
        visitor: Visitor,
        may_deflate: bool,
        (socket, killed): (Socket, Killed),
    ) -> Box<Self> {
        let turn = drain::turn(lane.inside.leaving.clone(), lane.inside.next_conn());
        let signal = Box::pin(async move {
            tokio::select! {
                biased;
                () = killed => Signal::Die,
                () = turn => Signal::Leave,
            }
        });
        Box::new(Self {
            socket,
            spaces: Vec::new(),
            output: Output::new(may_deflate),
            visitor,
            decoder: Decoder::new(lane.inside.uploads.packet_bytes_max(false), may_deflate),
            held: None,
            partial: None,
            is_known: false,
            connects: 0,
            heart: Heart::new(lane.heartbeat),
            signal,
            lane,
        })
    }

    /// Serves the connection to its end. `read` came along with the request.
    pub(super) async fn run(mut self: Box<Self>, read: Bytes) {
        let begun = match self.visitor.speech.clone() {
            Speech::Packets => {
                let packet_bytes = self.lane.inside.uploads.packet_bytes_max(true);
                self.output.reply(&packet::open(&new_id(), self.lane.heartbeat, packet_bytes));
                Ok(())
            }
            Speech::Envelopes(served) => self.begin(&served),
        };
        let taken = begun.and_then(|()| self.take(&read));
        drop(read); // it keeps all of hyper's buffer
        let end = match taken {
            Ok(()) => poll_fn(|cx| self.poll_end(cx)).await,
            Err(end) => end,
        };
        let reason = end.reason();
        debug!(reason = reason.as_str(), "a connection ends");
        for space in &mut self.spaces {
            space.counted.ends(reason);
        }
        // Boxed: while it is open, a connection has no room for its end.
        Box::pin(self.say_farewell(end)).await;
    }

    /// Reads and writes until there is a reason to end.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        if let Poll::Ready(end) = self.poll_orders(cx) {
            return Poll::Ready(end);
        }
        loop {
            let is_held_back = self.output.holds_back();
            let read = if is_held_back { Poll::Pending } else { self.poll_read(cx) };
            if let Poll::Ready(Err(end)) = read {
                return Poll::Ready(end);
            }
            if let Poll::Ready(end) = self.poll_write(cx) {
                return Poll::Ready(end);
            }
            let may_read_again = is_held_back && !self.output.holds_back();
            if read.is_pending() && !may_read_again {
                return Poll::Pending;
            }
        }
    }

    /// What has to be done whatever the client does.
    fn poll_orders(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        if let Poll::Ready(signal) = self.signal.as_mut().poll(cx) {
            return Poll::Ready(match signal {
                Signal::Leave => End::Leaving,
                Signal::Die => End::Gone(CloseReason::Gone),
            });
        }
        for (at, space) in self.spaces.iter_mut().enumerate() {
            if let Poll::Ready(reason) = space.poll_closing(cx) {
                return Poll::Ready(End::Asked(at, reason));
            }
        }
        while let Poll::Ready(due) = self.heart.poll_due(cx) {
            match due {
                Due::Ping => match self.visitor.speech {
                    Speech::Packets => {
                        self.output.reply(packet::PING);
                        self.spaces.iter().for_each(Space::pinged);
                    }
                    Speech::Envelopes(_) => self.output.ping(),
                },
                Due::Missed => return Poll::Ready(End::Gone(CloseReason::HeartbeatMissed)),
                Due::NoNamespace => return Poll::Ready(End::Broken(CloseCode::Policy)),
            }
        }
        Poll::Pending
    }

    /// Reads once.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        let mut bytes = [MaybeUninit::uninit(); READ_BYTES];
        let mut bytes = ReadBuf::uninit(&mut bytes);
        ready!(Pin::new(&mut self.socket.stream).poll_read(cx, &mut bytes))?;
        if bytes.filled().is_empty() {
            return Poll::Ready(Err(End::Gone(CloseReason::Gone)));
        }
        self.take(bytes.filled())?;
        if bytes.remaining() != 0 {
            return Poll::Ready(Ok(()));
        }
        // It sends a lot: its sessions have their turn before it is read again.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Carries out what the client sends.
    fn take(&mut self, mut bytes: &[u8]) -> Result<(), End> {
        loop {
            if !self.is_known && self.spaces.iter().any(Space::is_known) {
                self.is_known = true;
                self.decoder.allow(self.lane.inside.uploads.packet_bytes_max(true));
            }
            match self.decoder.decode(&mut bytes)? {
                Some(Heard::Text(text)) => match self.visitor.speech {
                    Speech::Packets => self.obey(&text)?,
                    Speech::Envelopes(_) => self.hear(&text)?,
                },
                Some(Heard::Ping(payload)) => self.output.pong(&payload),
                Some(Heard::Pong) => match self.visitor.speech {
                    Speech::Packets => {} // to none of ours
                    Speech::Envelopes(_) => self.heart.pong(),
                },
                Some(Heard::Bytes(bytes)) => self.take_part(bytes)?,
                Some(Heard::Part) => self.make_room()?,
                Some(Heard::Dropped(start)) => self.turn_away(&start)?,
                Some(Heard::Close(code)) => return Err(End::Closed(code)),
                None => return self.make_room(),
            }
        }
    }

    fn obey(&mut self, text: &str) -> Result<(), End> {
        let packet = Packet::parse(text)?;
        if self.partial.is_some() && packet != Packet::Pong && packet != Packet::Close {
            return Err(End::Broken(CloseCode::Protocol)); // bytes have to come first
        }
        match packet {
            Packet::Pong => {
                self.heart.pong();
                self.spaces.iter().for_each(Space::ponged);
            }
            Packet::Close => return Err(End::Closed(None)),
            Packet::Connect { namespace, payload } => {
                self.connects += 1;
                if CONNECTS_MAX < self.connects || CONNECT_BYTES_MAX < text.len() {
                    return Err(End::Broken(CloseCode::Policy));
                }
                self.connect(namespace, payload)?;
            }
            Packet::Disconnect { namespace } => {
                if let Some(at) = self.spaces.iter().position(|it| it.is_namespace(namespace)) {
                    self.spaces.remove(at).left();
                }
                self.heart.namespaces(self.spaces.len());
            }
            Packet::Event { namespace, ack, packet } => {
                // A client that was refused may have sent events already; they go nowhere.
                let space = self.spaces.iter().find(|it| it.is_namespace(namespace));
                if let Some(intake) = space.and_then(|it| it.intake.as_ref()) {
                    intake.take(packet, ack, self.held.take())?;
                }
            }
            Packet::Partial { namespace, ack, packet, parts } => {
                self.partial = Some(Partial::new((namespace, ack, packet), parts));
                self.decoder.expect_bytes(true);
            }
            Packet::Answer => {}
        }
        Ok(())
    }

    /// Opens a namespace, or says why not. Events that come next find it open.
    fn connect(&mut self, namespace: &str, payload: Option<&str>) -> Result<(), End> {
        let is_open = self.spaces.iter().any(|it| it.is_namespace(namespace));
        if is_open || NAMESPACE_BYTES_MAX < namespace.len() {
            return Err(End::Broken(CloseCode::Protocol));
        }
        let lane = Arc::clone(&self.lane);
        let Some(served) = lane.namespace(namespace) else {
            self.output.reply(&packet::unknown_namespace(namespace));
            return Ok(());
        };
        let Visitor { caller, shown, .. } = &self.visitor;
        let greeted = lane.inside.identify(caller, shown, payload);
        let opened = greeted.and_then(|it| Space::open(served, &lane.inside, &self.visitor, it));
        Handshake::of_connect(opened.as_ref().err()).count();
        match opened {
            Ok(space) => {
                self.spaces.reserve_exact(1); // most connections open one
                self.spaces.push(space);
                self.heart.namespaces(self.spaces.len());
            }
            // A refusal would stop the client, and this passes: it shall come back by itself.
            Err(Refusal::Unavailable(_)) => return Err(End::Broken(CloseCode::TryLater)),
            Err(refusal) => self.output.reply(&packet::refused(namespace, &refusal)),
        }
        Ok(())
    }
}
