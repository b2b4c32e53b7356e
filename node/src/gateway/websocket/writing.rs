//! What a connection writes, and when: as much as is ready, as fast as its client takes it.

use std::io;
use std::task::{Context, Poll, ready};

use crate::gateway::websocket::connection::{Connection, End};

impl Connection {
    /// Gathers and writes until nothing is ready, or the socket takes no more.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            let over = self.poll_gather(cx);
            if let Poll::Ready(at) = over {
                // A session says why before it ends.
                return Poll::Ready(match self.spaces[at].poll_closing(cx) {
                    Poll::Ready(reason) => End::Asked(at, reason),
                    Poll::Pending => End::SessionOver,
                });
            }
            if self.output.is_empty() {
                return Poll::Pending;
            }
            if let Err(error) = ready!(self.poll_flush(cx)) {
                return Poll::Ready(error.into());
            }
        }
    }

    /// Takes what sessions say while there is room for it. Resolves with the place of a session
    /// that has said all.
    pub(super) fn poll_gather(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        for (at, space) in self.spaces.iter_mut().enumerate() {
            while !space.is_over && self.output.has_room() {
                match space.poll_next(cx) {
                    Poll::Ready(Some(said)) => self.output.tell(&space.venue, &said),
                    Poll::Ready(None) => {
                        space.is_over = true;
                        return Poll::Ready(at);
                    }
                    Poll::Pending => break,
                }
            }
        }
        Poll::Pending
    }

    /// Resolves when the socket has taken all that was gathered.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.output.poll_write(cx, &mut self.socket.stream, &self.socket.outbound_bytes)
    }
}
