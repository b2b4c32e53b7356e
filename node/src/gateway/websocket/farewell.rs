//! How a connection ends: who still can hear something hears it, and the end itself.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tracing::debug;

use crate::dialect::Venue;
use crate::domain::close::{CloseReason, Ending};
use crate::gateway::drain::FLUSH_MAX;
use crate::gateway::packet;
use crate::gateway::websocket::connection::{Connection, End};
use crate::gateway::websocket::envelopes::close_code;
use crate::gateway::websocket::frame::CloseCode;

/// How long the client has to close after the last frame. A socket that is closed with something
/// unread in it would take that frame back.
const LINGER_MAX: Duration = Duration::from_secs(1);

impl Connection {
    /// Stops listening, writes what can still be written, and closes.
    pub(super) async fn say_farewell(mut self: Box<Self>, end: End) {
        // Sessions see the end of their inboxes after the events that they have already.
        for space in &mut self.spaces {
            space.intake = None;
        }
        let last_words = async {
            match end {
                End::Gone(_) => return Err(io::ErrorKind::NotConnected.into()),
                End::Asked(_, reason) if reason.is_abrupt() => {
                    return Err(io::ErrorKind::NotConnected.into());
                }
                End::Asked(at, reason) => self.say_ready(at, reason),
                End::Leaving => {
                    poll_fn(|cx| self.poll_say_all(cx)).await?;
                    self.output.close(CloseCode::Away);
                }
                End::SessionOver => self.output.close(CloseCode::Normal),
                End::Closed(code) => self.output.closed(code),
                End::Broken(code) => self.output.close(code),
            }
            poll_fn(|cx| self.poll_flush(cx)).await?;
            self.socket.stream.shutdown().await
        };
        match timeout(FLUSH_MAX, last_words).await {
            Ok(Ok(())) => self.linger().await,
            Ok(Err(_gone)) => {}
            Err(_elapsed) => debug!("a closing connection was not flushed in time"),
        }
    }

    /// Gathers what the sessions have said by now, and the end.
    fn say_ready(&mut self, at: usize, reason: CloseReason) {
        for space in &mut self.spaces {
            while let Some(said) = space.try_next() {
                self.output.tell(&space.venue, &said);
            }
        }
        match (&self.spaces[at].venue, reason.ending()) {
            (Venue::Path(_), _) => return self.output.close(close_code(reason)),
            (Venue::Namespace(namespace), Ending::Disconnect) => {
                self.output.reply(&packet::disconnect(namespace));
            }
            (Venue::Namespace(_), Ending::Transport) => {}
        }
        self.output.close(CloseCode::Policy);
    }

    /// Resolves when every session has ended and all that they said is written.
    fn poll_say_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            while self.poll_gather(cx).is_ready() {}
            let is_all = self.spaces.iter().all(|it| it.is_over);
            if self.output.is_empty() {
                return if is_all { Poll::Ready(Ok(())) } else { Poll::Pending };
            }
            ready!(self.poll_flush(cx))?;
        }
    }

    /// Waits until the client has closed too.
    async fn linger(mut self: Box<Self>) {
        self.spaces.clear();
        let mut ignored = [0; 1024];
        let closed = async { while let Ok(1..) = self.socket.stream.read(&mut ignored).await {} };
        // It had its time.
        let _elapsed = timeout(LINGER_MAX, closed).await.is_err();
    }
}
