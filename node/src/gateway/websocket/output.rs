//! What one connection has to write, while its socket does not take it.

use std::io;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

use crate::dialect::{Coding, Venue};
use crate::gateway::websocket::deflate::{self, DEFLATE_BYTES_MIN};
use crate::gateway::websocket::frame::{self, CloseCode};
use crate::gateway::websocket::space::Said;
use crate::gateway::{envelope, packet};
use crate::hub::outbox::Outgoing;

/// Bytes gathered for one write, unless a single frame is larger. What is not gathered waits in the
/// outbox, where it is counted.
const GATHER_BYTES_MAX: usize = 64 * 1024;

/// Bytes of answers that the gateway itself gives, which no outbox counts. A client that causes
/// more without reading them is not read either.
const REPLY_BYTES_MAX: usize = 64 * 1024;

/// Frames that wait for the socket. An idle connection holds no buffer at all.
#[derive(Debug, Default)]
pub(super) struct Output {
    bytes: Vec<u8>,
    written: usize,
    replies: usize,
    /// The client can read deflated messages.
    may_deflate: bool,
}

impl Output {
    /// Nothing waits yet; long messages are deflated if that was agreed on.
    #[must_use]
    pub(super) fn new(may_deflate: bool) -> Self {
        Self { may_deflate, ..Self::default() }
    }

    /// How to write a text of about so many bytes.
    fn coding(&self, bytes: usize) -> Coding {
        if self.may_deflate && DEFLATE_BYTES_MIN < bytes { Coding::Deflated } else { Coding::Plain }
    }

    /// Whether nothing waits.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether more may be gathered from outboxes.
    #[must_use]
    pub(super) fn has_room(&self) -> bool {
        self.bytes.len() - self.written < GATHER_BYTES_MAX
    }

    /// Whether the client has to read before it is read again.
    #[must_use]
    pub(super) fn holds_back(&self) -> bool {
        REPLY_BYTES_MAX <= self.replies
    }

    /// Something that a session tells, on a namespace or in envelopes.
    pub(super) fn tell(&mut self, venue: &Venue, said: &Said) {
        if self.written != 0 {
            self.bytes.drain(..mem::take(&mut self.written));
        }
        let outgoing = match said {
            Said::Connected(packet) => return self.reply(packet),
            Said::Outgoing(outgoing) => outgoing,
        };
        match (outgoing, venue) {
            // A dialect is spoken on namespaces or in envelopes, so the two never share a frame.
            (Outgoing::Event(event), Venue::Namespace(namespace)) => {
                let coding = self.coding(event.payload.get().len());
                let ready = event
                    .ready(namespace, coding, |it| framed(&packet::event(namespace, it), coding));
                self.bytes.extend_from_slice(ready);
            }
            (Outgoing::Event(event), Venue::Path(_)) => {
                let coding = self.coding(event.payload.get().len());
                let ready =
                    event.ready(&envelope::FORM, coding, |it| framed(&envelope::event(it), coding));
                self.bytes.extend_from_slice(ready);
            }
            (Outgoing::Ack { id, payload }, Venue::Namespace(namespace)) => {
                let text = packet::ack(namespace, *id, payload.get());
                self.bytes.extend_from_slice(&framed(&text, self.coding(text.len())));
            }
            (Outgoing::Ack { .. }, Venue::Path(_)) => {} // nothing there asks for one
        }
    }

    /// Something that the gateway says by itself.
    pub(super) fn reply(&mut self, text: &str) {
        self.count_reply(|bytes| frame::write_text(bytes, text));
    }

    /// The answer to a ping of frames.
    pub(super) fn pong(&mut self, payload: &[u8]) {
        self.count_reply(|bytes| frame::write_pong(bytes, payload));
    }

    /// A ping of frames.
    pub(super) fn ping(&mut self) {
        frame::write_ping(&mut self.bytes);
    }

    /// The last frame.
    pub(super) fn close(&mut self, code: CloseCode) {
        frame::write_close(&mut self.bytes, code);
    }

    /// The answer to the client's last frame.
    pub(super) fn closed(&mut self, code: Option<u16>) {
        frame::write_closed(&mut self.bytes, code);
    }

    fn count_reply(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.bytes.len();
        write(&mut self.bytes);
        self.replies += self.bytes.len() - before;
    }

    /// Resolves when all is written.
    ///
    /// # Errors
    /// The socket's.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut TcpStream,
        outbound_bytes: &metrics::Counter,
    ) -> Poll<io::Result<()>> {
        while let Some(rest) = self.bytes.get(self.written..).filter(|it| !it.is_empty()) {
            let written = ready!(Pin::new(&mut *stream).poll_write(cx, rest))?;
            outbound_bytes.increment(written as u64);
            self.written += written;
        }
        *self = Self::new(self.may_deflate);
        Poll::Ready(Ok(()))
    }
}

/// A whole text message, deflated if it is asked for and makes it smaller.
fn framed(text: &str, coding: Coding) -> Vec<u8> {
    let deflated = match coding {
        Coding::Plain => None,
        Coding::Deflated => deflate::shrink(text.as_bytes()),
    };
    let mut bytes = Vec::new();
    match deflated {
        Some(deflated) => frame::write_deflated(&mut bytes, &deflated),
        None => frame::write_text(&mut bytes, text),
    }
    bytes
}
