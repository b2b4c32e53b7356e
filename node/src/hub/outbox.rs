//! What waits to be written to one connection: bounded, and its overflow closes that connection.
//!
//! The hub and the session push without waiting; the connection's gateway alone reads. A reader
//! that is too far behind is told to leave (`TooSlow`): it resumes from its position, and nobody
//! waits for it.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use serde_json::value::RawValue;
use tokio::sync::{Notify, SetOnce, mpsc};
use xxhash_rust::xxh3::xxh3_64;

use crate::dialect::Frame;
use crate::domain::close::CloseReason;
use crate::domain::id::{RoomId, UserId};
use crate::domain::time::Timestamp;
use crate::hub::metrics;
use crate::hub::waiting::Waiting;

/// Frames that may wait. A page of catch-up (64) fits four times.
pub const OUTBOX_FRAMES_MAX: usize = 256;

/// Bytes of payload that may wait, unless a single frame is larger.
pub const OUTBOX_BYTES_MAX: usize = 1024 * 1024;

/// Number of an acknowledgement within its connection, as Socket.IO gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AckId(pub i64);

/// Something to be written.
#[derive(Debug, Clone)]
pub enum Outgoing {
    /// An event.
    Event(Arc<Frame>),
    /// The answer to an event that asked for one.
    Ack {
        /// Which.
        id: AckId,
        /// The answer's only argument.
        payload: Arc<RawValue>,
    },
}

impl Outgoing {
    /// Bytes that it counts for.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Event(frame) => frame.event.len() + frame.payload.get().len(),
            Self::Ack { payload, .. } => payload.get().len(),
        }
    }
}

/// Marks news that reaches a connection in several ways and is told once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Once {
    /// Hash of whom, or what, it is about.
    pub user: u64,
    /// Version, as of the user's presence: a higher one is newer news.
    pub version: u64,
}

impl Once {
    /// News about a user's presence of this version.
    #[must_use]
    pub fn of(user: &UserId, version: u64) -> Self {
        Self { user: xxh3_64(user.as_str().as_bytes()), version }
    }

    /// The news that a room was closed at this time.
    #[must_use]
    pub fn closing(room: &RoomId, at: Timestamp) -> Self {
        Self { user: xxh3_64(format!("closing {room}").as_bytes()), version: at.0 }
    }

    /// The same news in this event alone.
    #[must_use]
    pub(crate) fn of_event(self, outgoing: &Outgoing) -> Self {
        let event = match outgoing {
            Outgoing::Event(frame) => xxh3_64(frame.event.as_bytes()),
            Outgoing::Ack { .. } => 0,
        };
        Self { user: self.user ^ event, ..self }
    }
}

/// What is to be done when something is taken.
#[derive(Debug, Clone, Copy)]
enum News {
    /// Unless the connection has been told.
    Once(Once),
    /// In any case; it counts as told.
    Greeting(Once),
    /// It was stored at this time: how long that is ago is counted.
    Timed(Timestamp),
}

/// Users whose last news a connection remembers. One more forgets all: a repeat is harmless.
const REMEMBERED_USERS_MAX: usize = 4096;

/// The outbox was full; its connection is being closed as too slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the outbox is full")]
pub struct Overflow;

#[derive(Debug, Default)]
struct Gauge {
    frames: AtomicUsize,
    bytes: AtomicUsize,
    /// Told when an overflow happens.
    overflowed: Notify,
    /// Told when the connection is to end.
    ended: SetOnce<CloseReason>,
    /// Told when the connection may have lost a room.
    reviewed: Notify,
    /// Told when at most half is left to write.
    half_empty: Notify,
    /// What a scrape tells; after an overflow still what is really there.
    waiting: Waiting,
}

impl Gauge {
    fn is_half_empty(&self) -> bool {
        self.frames.load(Ordering::Acquire) <= OUTBOX_FRAMES_MAX / 2
            && self.bytes.load(Ordering::Acquire) <= OUTBOX_BYTES_MAX / 2
    }
}

/// The writing end: cheap to clone, never waits.
#[derive(Debug, Clone)]
pub struct Outbox {
    sender: mpsc::Sender<(Outgoing, Option<News>)>,
    gauge: Arc<Gauge>,
}

/// The reading end, for the connection's gateway.
#[derive(Debug)]
pub struct OutboxReader {
    receiver: mpsc::Receiver<(Outgoing, Option<News>)>,
    gauge: Arc<Gauge>,
    told: HashMap<u64, u64>,
}

/// A new, empty outbox.
#[must_use]
pub fn outbox() -> (Outbox, OutboxReader) {
    let (sender, receiver) = mpsc::channel(OUTBOX_FRAMES_MAX);
    let gauge = Arc::new(Gauge::default());
    (
        Outbox { sender, gauge: Arc::clone(&gauge) },
        OutboxReader { receiver, gauge, told: HashMap::new() },
    )
}

impl Outbox {
    /// Adds one thing to write.
    ///
    /// # Errors
    /// [`Overflow`] when too much waits: [`Self::overflowed`] resolves, and nothing more is taken
    /// in order that no hole is written. A connection that is gone takes everything silently.
    pub fn push(&self, outgoing: Outgoing) -> Result<(), Overflow> {
        self.put(outgoing, None)
    }

    /// Adds an entry that was stored `at` this time; how long it waited since then is counted when
    /// it is taken to be written.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn push_timed(&self, outgoing: Outgoing, at: Timestamp) -> Result<(), Overflow> {
        self.put(outgoing, Some(News::Timed(at)))
    }

    /// Adds news about a user, which is dropped where the connection has been told already.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn push_once(&self, outgoing: Outgoing, once: Once) -> Result<(), Overflow> {
        self.put(outgoing, Some(News::Once(once)))
    }

    /// Adds news about a user for somebody who has just come in: what was told before it left
    /// last time may be forgotten.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn push_greeting(&self, outgoing: Outgoing, once: Once) -> Result<(), Overflow> {
        self.put(outgoing, Some(News::Greeting(once)))
    }

    fn put(&self, outgoing: Outgoing, news: Option<News>) -> Result<(), Overflow> {
        let bytes = outgoing.bytes();
        let before = self.gauge.bytes.fetch_add(bytes, Ordering::AcqRel);
        if before != 0 && OUTBOX_BYTES_MAX < before + bytes {
            return self.overflow();
        }
        self.gauge.frames.fetch_add(1, Ordering::AcqRel);
        match self.sender.try_send((outgoing, news)) {
            Ok(()) => {
                self.gauge.waiting.add(bytes);
                Ok(())
            }
            Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => self.overflow(),
        }
    }

    /// The counts stay raised on purpose: after one overflow every further push overflows too, so
    /// the connection never hears what came after a hole.
    fn overflow(&self) -> Result<(), Overflow> {
        self.gauge.bytes.fetch_add(OUTBOX_BYTES_MAX, Ordering::AcqRel);
        self.gauge.overflowed.notify_one();
        Err(Overflow)
    }

    /// Whether nobody reads any more: the connection is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Resolves once when a push did not fit. One waiter: the session.
    pub async fn overflowed(&self) {
        self.gauge.overflowed.notified().await;
    }

    /// Has the connection ended for a reason of the node's; the first one counts.
    pub fn end(&self, reason: CloseReason) {
        // An error: it was ended before.
        self.gauge.ended.set(reason).ok();
    }

    /// Resolves with the reason when the connection is to end.
    pub async fn ended(&self) -> CloseReason {
        *self.gauge.ended.wait().await
    }

    /// Has the session ask again whether its user may be where it is.
    pub fn review(&self) {
        self.gauge.reviewed.notify_one();
    }

    /// Resolves once after [`Self::review`]. One waiter: the session.
    pub async fn reviewed(&self) {
        self.gauge.reviewed.notified().await;
    }

    /// Whether at most half of the outbox is taken, so that catching up may go on.
    #[must_use]
    pub fn is_half_empty(&self) -> bool {
        self.gauge.is_half_empty()
    }

    /// Resolves when at most half of the outbox is taken. One waiter: the session.
    pub async fn half_empty(&self) {
        while !self.is_half_empty() {
            self.gauge.half_empty.notified().await;
        }
    }
}

impl OutboxReader {
    /// The next thing to write; `None` when every writing end is gone.
    pub async fn next(&mut self) -> Option<Outgoing> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`Self::next`], for a task that waits for several things.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Outgoing>> {
        loop {
            let Some((outgoing, news)) = ready!(self.receiver.poll_recv(cx)) else {
                return Poll::Ready(None);
            };
            if self.takes(&outgoing, news) {
                return Poll::Ready(Some(outgoing));
            }
        }
    }

    /// The next thing to write, if one is ready.
    pub fn try_next(&mut self) -> Option<Outgoing> {
        loop {
            let (outgoing, news) = self.receiver.try_recv().ok()?;
            if self.takes(&outgoing, news) {
                return Some(outgoing);
            }
        }
    }

    fn takes(&mut self, outgoing: &Outgoing, news: Option<News>) -> bool {
        let bytes = outgoing.bytes();
        self.gauge.waiting.remove(bytes);
        self.gauge.bytes.fetch_sub(bytes, Ordering::AcqRel);
        self.gauge.frames.fetch_sub(1, Ordering::AcqRel);
        if self.gauge.is_half_empty() {
            self.gauge.half_empty.notify_one();
        }
        match news {
            None => true,
            Some(News::Once(once)) => self.is_news(once),
            Some(News::Greeting(once)) => {
                self.is_news(once);
                true
            }
            Some(News::Timed(at)) => {
                metrics::written(at);
                true
            }
        }
    }

    fn is_news(&mut self, once: Once) -> bool {
        if self.told.len() == REMEMBERED_USERS_MAX && !self.told.contains_key(&once.user) {
            self.told.clear();
        }
        let told = self.told.entry(once.user).or_default();
        let is_news = *told < once.version;
        *told = once.version.max(*told);
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(bytes: usize) -> Outgoing {
        let payload = RawValue::from_string(format!("\"{}\"", "x".repeat(bytes))).unwrap();
        Outgoing::Event(Arc::new(Frame::new(Arc::from("e"), payload)))
    }

    #[tokio::test]
    async fn after_an_overflow_nothing_more_is_taken() {
        let (outbox, mut reader) = outbox();
        for _ in 0..OUTBOX_FRAMES_MAX {
            outbox.push(event(1)).unwrap();
        }
        assert_eq!(outbox.push(event(1)), Err(Overflow));
        outbox.overflowed().await;
        while reader.try_next().is_some() {}
        assert_eq!(outbox.push(event(1)), Err(Overflow));
    }

    #[tokio::test]
    async fn one_frame_larger_than_the_bound_passes_alone() {
        let (outbox, _reader) = outbox();
        outbox.push(event(2 * OUTBOX_BYTES_MAX)).unwrap();
        assert_eq!(outbox.push(event(1)), Err(Overflow));
    }

    #[tokio::test]
    async fn news_about_a_user_is_told_once_per_version() {
        let (outbox, mut reader) = outbox();
        for (user, version) in [(1, 5), (1, 5), (2, 5), (1, 4), (1, 6)] {
            outbox.push_once(event(1), Once { user, version }).unwrap();
        }
        assert_eq!(std::iter::from_fn(|| reader.try_next()).count(), 3);
    }

    #[tokio::test]
    async fn a_greeting_is_told_again_and_counts_as_told() {
        let (outbox, mut reader) = outbox();
        let once = Once { user: 1, version: 5 };
        outbox.push_once(event(1), once).unwrap();
        outbox.push_greeting(event(1), once).unwrap();
        outbox.push_once(event(1), once).unwrap();
        assert_eq!(std::iter::from_fn(|| reader.try_next()).count(), 2);
    }

    #[tokio::test]
    async fn a_read_outbox_says_when_half_of_it_is_free() {
        let (outbox, mut reader) = outbox();
        for _ in 0..OUTBOX_FRAMES_MAX {
            outbox.push(event(1)).unwrap();
        }
        assert!(!outbox.is_half_empty());
        for _ in 0..OUTBOX_FRAMES_MAX / 2 {
            reader.next().await.unwrap();
        }
        outbox.half_empty().await;
        assert!(outbox.is_half_empty());
    }
}
