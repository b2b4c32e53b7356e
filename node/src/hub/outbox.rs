//! What waits to be written to one connection: bounded, and its overflow closes that connection.
//!
//! The hub and the session push without waiting; the connection's gateway alone reads. A reader
//! that is too far behind is told to leave (`TooSlow`): it resumes from its position, and nobody
//! waits for it.

mod once;

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use serde_json::value::RawValue;
use tokio::sync::{Notify, SetOnce};

use crate::dialect::Frame;
use crate::domain::close::CloseReason;
use crate::domain::recovery::Pid;
use crate::domain::time::Timestamp;
use crate::hub::metrics;
pub use crate::hub::outbox::once::Once;
use crate::hub::queue::{Load, Reader, Writer, queue};
use crate::hub::waiting::Waiting;

/// Frames that may wait. A page of catch-up (64) fits four times.
pub const OUTBOX_FRAMES_MAX: usize = 256;

/// Bytes of payload that may wait, unless a single frame is larger.
pub const OUTBOX_BYTES_MAX: usize = 1024 * 1024;

/// Receipts that may wait for everything else: those of ten rooms that somebody catches up in.
const OUTBOX_LATER_MAX: usize = 1024;

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

/// What is to be done when something is taken.
#[derive(Debug, Clone, Copy)]
enum News {
    /// Unless the connection has been told.
    Once(Once),
    /// Unless the connection has been told since it joined or left a room for the so-manieth time.
    SinceMove(Once, usize),
    /// It was stored at this time: how long that is ago is counted.
    Timed(Timestamp),
}

/// Users whose last news a connection remembers. One more forgets all: a repeat is harmless.
const REMEMBERED_USERS_MAX: usize = 4096;

/// The outbox was full; its connection is being closed as too slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the outbox is full")]
pub struct Overflow;

/// What the two ends tell each other, and the hub the session.
#[derive(Debug, Default)]
struct Signals {
    /// Told when the connection is to end.
    ended: SetOnce<CloseReason>,
    /// Told when the connection may have lost a room.
    reviewed: Notify,
    /// Something did not fit: nothing more is taken.
    has_overflowed: AtomicBool,
    /// Somebody waits for room.
    is_awaited: AtomicBool,
    has_room: Notify,
    /// The connection's private name, if it has one.
    pid: OnceLock<Pid>,
    /// How often the connection has joined or left a room.
    moves: AtomicUsize,
    /// What a scrape tells.
    waiting: Waiting,
}

impl Signals {
    /// Something was taken.
    fn taken(&self) {
        if self.is_awaited.load(Ordering::SeqCst) {
            self.has_room.notify_one();
        }
    }

    /// Resolves when `holds`. One waiter.
    async fn wait(&self, holds: impl Fn() -> bool) {
        // Set before it is looked at: who takes something later sees that somebody waits.
        self.is_awaited.store(true, Ordering::SeqCst);
        while !holds() {
            self.has_room.notified().await;
        }
        self.is_awaited.store(false, Ordering::SeqCst);
    }
}

type Item = (Outgoing, Option<News>);

/// The writing end: cheap to clone, never waits.
#[derive(Debug, Clone)]
pub struct Outbox {
    writer: Writer<Item>,
    signals: Arc<Signals>,
}

/// The reading end, for the connection's gateway.
#[derive(Debug)]
pub struct OutboxReader {
    reader: Reader<Item>,
    signals: Arc<Signals>,
    told: HashMap<u64, Told>,
}

/// The last news about one user that a connection was told.
#[derive(Debug, Default)]
struct Told {
    version: u64,
    /// How often the connection had joined or left a room before.
    moves: usize,
}

/// A new, empty outbox.
#[must_use]
pub fn outbox() -> (Outbox, OutboxReader) {
    let (writer, reader) = queue();
    let signals = Arc::<Signals>::default();
    let told = HashMap::new();
    (Outbox { writer, signals: Arc::clone(&signals) }, OutboxReader { reader, signals, told })
}

impl Outbox {
    /// Adds one thing to write.
    ///
    /// # Errors
    /// [`Overflow`] when too much waits: [`Self::ended`] resolves, and nothing more is taken
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

    /// Adds news that is dropped where the connection has been told already.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn push_once(&self, outgoing: Outgoing, once: Once) -> Result<(), Overflow> {
        self.put(outgoing, Some(News::Once(once)))
    }

    /// Adds news about a user, which is dropped where the connection has been told already and has
    /// neither joined nor left a room since.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn push_presence(&self, outgoing: Outgoing, once: Once) -> Result<(), Overflow> {
        let moves = self.signals.moves.load(Ordering::Acquire);
        self.put(outgoing, Some(News::SinceMove(once, moves)))
    }

    /// The connection has joined or left a room: whoever joins wants to know who is there, and
    /// whoever leaves may forget it.
    pub fn note_move(&self) {
        self.signals.moves.fetch_add(1, Ordering::AcqRel);
    }

    /// Adds something that is written when nothing else waits. `true`: something older of the kind
    /// made way for it.
    pub fn push_later(&self, outgoing: Outgoing) -> bool {
        if self.is_closed() {
            return false;
        }
        self.signals.waiting.add(outgoing.bytes());
        let dropped = self.writer.offer_later((outgoing, None), OUTBOX_LATER_MAX);
        if let Some((outgoing, _)) = &dropped {
            self.signals.waiting.remove(outgoing.bytes());
        }
        dropped.is_some()
    }

    fn put(&self, outgoing: Outgoing, news: Option<News>) -> Result<(), Overflow> {
        let bytes = outgoing.bytes();
        let has_overflowed = &self.signals.has_overflowed;
        let fits = |load: Load| {
            let fits = !has_overflowed.load(Ordering::Acquire)
                && load.items < OUTBOX_FRAMES_MAX
                && (load.bytes == 0 || load.bytes + bytes <= OUTBOX_BYTES_MAX);
            if fits {
                self.signals.waiting.add(bytes);
            }
            fits
        };
        self.writer.offer((outgoing, news), bytes, fits).map_err(|_too_much| {
            has_overflowed.store(true, Ordering::Release);
            self.end(CloseReason::TooSlow);
            Overflow
        })
    }

    /// Whether nobody reads any more: the connection is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.writer.is_closed()
    }

    /// Has the connection ended for a reason of the node's; the first one counts.
    pub fn end(&self, reason: CloseReason) {
        // An error: it was ended before.
        self.signals.ended.set(reason).ok();
    }

    /// Has the connection ended if this is its private name: its client has come back.
    pub fn hand_over(&self, pid: Pid) {
        if self.signals.pid.get() == Some(&pid) {
            self.end(CloseReason::Replaced);
        }
    }

    /// The connection has this private name. It gets no second one.
    pub fn name(&self, pid: Pid) {
        self.signals.pid.get_or_init(|| pid);
    }

    /// Resolves with the reason when the connection is to end: a push did not fit, or somebody
    /// wants it.
    pub async fn ended(&self) -> CloseReason {
        *self.signals.ended.wait().await
    }

    /// Has the session ask again whether its user may be where it is.
    pub fn review(&self) {
        self.signals.reviewed.notify_one();
    }

    /// Resolves once after [`Self::review`]. One waiter: the session.
    pub async fn reviewed(&self) {
        self.signals.reviewed.notified().await;
    }

    /// Whether at most half of the outbox is taken, so that catching up may go on.
    #[must_use]
    pub fn is_half_empty(&self) -> bool {
        let load = self.writer.load();
        load.items <= OUTBOX_FRAMES_MAX / 2 && load.bytes <= OUTBOX_BYTES_MAX / 2
    }

    /// Resolves when at most half of the outbox is taken. One waiter: the session.
    pub async fn half_empty(&self) {
        if !self.is_half_empty() {
            self.signals.wait(|| self.is_half_empty()).await;
        }
    }

    /// Resolves when the reader has dealt with all that was pushed, or is gone. One waiter: the
    /// session.
    pub async fn settled(&self) {
        self.signals.wait(|| self.writer.is_settled()).await;
    }
}

impl OutboxReader {
    /// The next thing to write; `None` when every writing end is gone. Whoever asks is done with
    /// the one before.
    pub async fn next(&mut self) -> Option<Outgoing> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`Self::next`], for a task that waits for several things.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Outgoing>> {
        loop {
            let item = self.reader.poll_next(cx);
            self.signals.taken();
            match ready!(item) {
                None => return Poll::Ready(None),
                Some((outgoing, news)) if self.is_wanted(&outgoing, news) => {
                    return Poll::Ready(Some(outgoing));
                }
                Some(_told_already) => {}
            }
        }
    }

    /// The next thing to write, if one is ready.
    pub fn try_next(&mut self) -> Option<Outgoing> {
        loop {
            let item = self.reader.try_next();
            self.signals.taken();
            let (outgoing, news) = item?;
            if self.is_wanted(&outgoing, news) {
                return Some(outgoing);
            }
        }
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reader.load().items == 0
    }

    fn is_wanted(&mut self, outgoing: &Outgoing, news: Option<News>) -> bool {
        self.signals.waiting.remove(outgoing.bytes());
        match news {
            None => true,
            Some(News::Once(once)) => self.is_news(once, 0),
            Some(News::SinceMove(once, moves)) => self.is_news(once, moves),
            Some(News::Timed(at)) => {
                metrics::written(at);
                true
            }
        }
    }

    fn is_news(&mut self, once: Once, moves: usize) -> bool {
        if self.told.len() == REMEMBERED_USERS_MAX && !self.told.contains_key(&once.user) {
            self.told.clear();
        }
        let told = self.told.entry(once.user).or_default();
        let is_news = told.version < once.version || told.moves < moves;
        told.version = once.version.max(told.version);
        told.moves = moves.max(told.moves);
        is_news
    }
}

impl Drop for OutboxReader {
    fn drop(&mut self) {
        self.reader.close();
        // Whoever waits for room has all of it now.
        self.signals.has_room.notify_one();
    }
}

#[cfg(test)]
mod tests;
