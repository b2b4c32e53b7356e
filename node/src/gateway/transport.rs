//! One TCP connection: where it comes from, a switch that kills it, and a count of what it wrote.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::gateway::flow::Flow;
use crate::gateway::meter::Meter;
use crate::gateway::uploads::{Receiving, TooMuch};

/// Bytes that are still read from a peer that does not take what is written to it. The engine
/// answers some packets by itself, as long as they are, and queues the answers by number only: who
/// asks without reading must not fill the memory with them.
const READ_WHILE_BLOCKED_MAX: usize = 256 * 1024;

/// Resolves when a connection is to be ended.
pub(super) type Killed = Pin<Box<WaitForCancellationFutureOwned>>;

/// Handle of a TCP connection that every request on it carries in its extensions.
#[derive(Debug)]
pub(super) struct Transport {
    /// The other end as the kernel sees it: a client or a proxy.
    pub(super) peer: IpAddr,
    kill: CancellationToken,
    session: OnceLock<(Arc<Flow>, Arc<Receiving>)>,
}

impl Transport {
    /// A connection from `peer` that `kill` ends.
    #[must_use]
    pub(super) fn new(peer: IpAddr, kill: CancellationToken) -> Self {
        Self { peer, kill, session: OnceLock::new() }
    }

    /// Ends the connection where it stands, also when its peer does not read: both directions
    /// fail from now on.
    pub(super) fn kill(&self) {
        self.kill.cancel();
    }

    /// From the response that is answered next, the connection is a WebSocket of the session that
    /// these belong to.
    pub(super) fn becomes_websocket(&self, flow: Arc<Flow>, receiving: Arc<Receiving>) {
        // A second upgrade of one TCP connection cannot happen: hyper has let go of it.
        self.session.get_or_init(|| (flow, receiving));
    }
}

/// The stream under a connection: hyper first and the WebSocket later write through it.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    transport: Arc<Transport>,
    /// Reading and writing are polled by two tasks, and each future wakes only one.
    killed_reading: Killed,
    killed_writing: Killed,
    meter: Meter,
    blocked: Blocked,
    outbound_bytes: metrics::Counter,
    /// The place among open transports, given back when the stream closes.
    place: OwnedSemaphorePermit,
}

/// What is left of a [`Wire`] for one task that reads and writes by itself.
#[derive(Debug)]
pub(super) struct Socket {
    /// The TCP connection.
    pub(super) stream: TcpStream,
    /// To be raised by what is written.
    pub(super) outbound_bytes: metrics::Counter,
    _place: OwnedSemaphorePermit,
}

/// Whether the peer takes what is written, and how much it sent while it did not.
#[derive(Debug, Default)]
struct Blocked {
    is_blocked: bool,
    bytes_read: usize,
    reader: Option<Waker>,
}

impl Blocked {
    /// Whether reading has to wait; if so, it is woken when the peer takes something.
    fn holds_back(&mut self, cx: &Context<'_>) -> bool {
        let holds_back = self.is_blocked && READ_WHILE_BLOCKED_MAX <= self.bytes_read;
        if holds_back {
            self.reader = Some(cx.waker().clone());
        }
        holds_back
    }

    fn read(&mut self, bytes: usize) {
        if self.is_blocked {
            self.bytes_read += bytes;
        }
    }

    fn written(&mut self, bytes: usize) {
        self.is_blocked = false;
        self.bytes_read = self.bytes_read.saturating_sub(bytes);
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

impl Wire {
    /// The stream of `transport`.
    #[must_use]
    pub(super) fn new(
        stream: TcpStream,
        transport: Arc<Transport>,
        outbound_bytes: metrics::Counter,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let killed = || Box::pin(transport.kill.clone().cancelled_owned());
        Self {
            stream,
            killed_reading: killed(),
            killed_writing: killed(),
            transport,
            meter: Meter::default(),
            blocked: Blocked::default(),
            outbound_bytes,
            place,
        }
    }

    /// Takes the stream back from hyper, and the switch that kills it.
    #[must_use]
    pub(super) fn into_socket(self) -> (Socket, Killed) {
        let Self { stream, outbound_bytes, place, .. } = self;
        (Socket { stream, outbound_bytes, _place: place }, self.killed_reading)
    }

    fn count(&mut self, written: &[u8]) {
        self.outbound_bytes.increment(written.len() as u64);
        if let Some((flow, _)) = self.transport.session.get() {
            flow.written(self.meter.follow(written));
        }
    }
}

fn killed() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the connection was ended")
}

/// Fails once killed; else leaves a waker that the kill wakes.
fn alive(killed_future: &mut Killed, cx: &mut Context<'_>) -> io::Result<()> {
    match killed_future.as_mut().poll(cx) {
        Poll::Ready(()) => Err(killed()),
        Poll::Pending => Ok(()),
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        alive(&mut self.killed_reading, cx)?;
        if self.blocked.holds_back(cx) {
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        let bytes = buf.filled().len() - before;
        self.blocked.read(bytes);
        match self.transport.session.get().map(|(_, receiving)| receiving.read(bytes)) {
            Some(Err(TooMuch)) => Poll::Ready(Err(killed())),
            Some(Ok(())) | None => read,
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        alive(&mut self.killed_writing, cx)?;
        let Poll::Ready(written) = Pin::new(&mut self.stream).poll_write(cx, buf) else {
            self.blocked.is_blocked = true;
            return Poll::Pending;
        };
        let written = written?;
        self.blocked.written(written);
        self.count(buf.get(..written).unwrap_or_default());
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        alive(&mut self.killed_writing, cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
