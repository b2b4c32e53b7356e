//! From one notice to many outboxes: spelled once per dialect, then shared.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::dialect::envelope::RequestId;
use crate::dialect::{Audience, DialectId, DialectSet, Dialects, Frame, Spoken};
use crate::domain::event::{Origin, SharedEntry};
use crate::domain::id::{ConnId, NodeLife, UserId};
use crate::domain::notice::Notice;
use crate::domain::position::Position;
use crate::domain::time::Timestamp;
use crate::hub::metrics::Metrics;
use crate::hub::outbox::{Once, Outbox, Outgoing};
use crate::telemetry::traces::{Part, Span};

/// Spelled entries that are kept per topic, for those who are caught up from memory.
const ROWS_MAX: usize = 64;

/// A notice in the words of those dialects that were asked for; each is written at most once.
#[derive(Debug)]
pub(crate) struct Spelling {
    notice: Notice,
    words: Vec<Word>,
}

#[derive(Debug, Clone)]
enum Word {
    NotAsked,
    /// The dialect has no event for it.
    Silent,
    Said(Spoken),
}

impl Spelling {
    /// Nothing is written yet.
    pub(crate) fn new(notice: Notice) -> Self {
        Self { notice, words: Vec::new() }
    }

    /// The notice in this dialect's words; `None`: the dialect has no event for it.
    pub(crate) fn spell(&mut self, dialects: &Dialects, dialect: DialectId) -> Option<&Spoken> {
        let at = usize::from(dialect.0);
        if self.words.len() <= at {
            self.words.resize(at + 1, Word::NotAsked);
        }
        if matches!(self.words[at], Word::NotAsked) {
            let spoken = dialects.get(dialect).encode(&self.notice);
            self.words[at] = spoken.map_or(Word::Silent, Word::Said);
        }
        match &self.words[at] {
            Word::Said(spoken) => Some(spoken),
            Word::NotAsked | Word::Silent => None,
        }
    }
}

/// The spelled entries of one topic, newest last.
#[derive(Debug, Default)]
pub(crate) struct SpelledEntries {
    rows: VecDeque<(Position, Spelling)>,
}

impl SpelledEntries {
    /// The row of `entry`; made, and the oldest row forgotten, if it is new.
    pub(crate) fn row(&mut self, entry: &SharedEntry) -> &mut Spelling {
        let found = self.rows.binary_search_by_key(&entry.position, |(position, _)| *position);
        let at = match found {
            Ok(at) => at,
            Err(mut at) => {
                if self.rows.len() == ROWS_MAX {
                    self.rows.pop_front();
                    at = at.saturating_sub(1);
                }
                let spelling = Spelling::new(Notice::Entry(SharedEntry::clone(entry)));
                self.rows.insert(at, (entry.position, spelling));
                at
            }
        };
        &mut self.rows[at].1
    }

    /// Forgets everything: nobody has asked for a while.
    pub(crate) fn clear(&mut self) {
        self.rows = VecDeque::new();
    }
}

/// A connection that hears a topic.
#[derive(Debug, Clone)]
pub struct Listener {
    /// Which connection.
    pub conn: ConnId,
    /// Whose doings are its own: the first of the connections that it took up, or itself.
    pub origin: ConnId,
    /// Whose.
    pub user: UserId,
    /// In whose words it hears the topic.
    pub dialects: DialectSet,
    /// Whether it is told the list of the room's users when that changes.
    pub is_listing: bool,
    /// Where what it hears is put.
    pub outbox: Outbox,
}

/// What the notice's origin is, for dialects that do not tell it to its cause.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cause<'a> {
    /// Everyone may be told.
    Nobody,
    /// One connection did it, by a request that it gave this id.
    Connection(ConnId, Option<&'a str>),
    /// All connections of a user are meant.
    User(&'a UserId),
}

/// How something that is not in the log is told.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Manner {
    /// To every live member.
    Always,
    /// The same, and how long it takes since then is counted.
    Timed(Timestamp),
    /// Not to those whose outbox is more than half full: the first thing that is dropped.
    Droppable,
    /// After all that waits; of too many the oldest are dropped.
    Later,
    /// Once per connection, however many rooms it comes through, and again after it has joined or
    /// left one.
    Once(Once),
    /// Once per connection and name of the event.
    Same(Once),
}

impl Manner {
    /// The same; of something that everyone is told, how long that took since `at` is told too.
    #[must_use]
    pub(crate) fn timed(self, at: Timestamp) -> Self {
        match self {
            Self::Always | Self::Timed(_) => Self::Timed(at),
            Self::Droppable | Self::Later | Self::Once(_) | Self::Same(_) => self,
        }
    }
}

/// What every topic of a keeper needs to speak.
#[derive(Debug)]
pub(crate) struct Voice<'a> {
    pub(crate) dialects: &'a Dialects,
    pub(crate) life: NodeLife,
    pub(crate) metrics: &'a Metrics,
}

/// Who is not told what came from `origin`.
pub(crate) fn cause_of(origin: &Origin) -> Cause<'static> {
    Cause::Connection(origin.conn, None)
}

/// Who is not told of this entry.
pub(crate) fn cause_of_entry(entry: &SharedEntry) -> Cause<'_> {
    match &entry.origin {
        Some(origin) => Cause::Connection(origin.conn, origin.request.as_deref()),
        None => Cause::Nobody,
    }
}

impl Voice<'_> {
    /// This node's part of an entry's trace.
    pub(crate) fn span_of(&self, entry: &SharedEntry) -> Span {
        let parent = entry.origin.as_ref().and_then(|origin| origin.trace);
        let mut span = Span::after(parent, Part::Deliver);
        span.tell("messaging.destination.name", &entry.room);
        span.tell("messaging.message.id", entry.position);
        span.tell("parlance.node", self.life);
        span
    }
}

/// Whether a listener is in the audience; `is_origin`: the notice is about its own doing.
fn hears(to: Audience, is_origin: bool) -> bool {
    match to {
        Audience::All => true,
        Audience::Others => !is_origin,
    }
}

/// `false`: the connection is gone.
pub(crate) fn tell(
    listener: &Listener,
    spelling: &mut Spelling,
    (cause, manner): (Cause<'_>, Manner),
    voice: &Voice<'_>,
) -> bool {
    let (is_origin, request) = match cause {
        Cause::Nobody => (false, None),
        Cause::Connection(conn, request) => (conn == listener.origin, request),
        Cause::User(user) => (*user == listener.user, None),
    };
    let mut is_there = true;
    // What several dialects say alike is told once.
    let mut told: Vec<Arc<Frame>> = Vec::new();
    for dialect in listener.dialects.iter() {
        let Some(spoken) = spelling.spell(voice.dialects, dialect) else { continue };
        let is_told = told.iter().any(|it| it.is_same(&spoken.frame));
        if is_told || !hears(spoken.to, is_origin) {
            continue;
        }
        if listener.dialects.is_several() {
            told.push(Arc::clone(&spoken.frame));
        }
        let frame = Arc::clone(&spoken.frame);
        let request = request.filter(|_| is_origin).and_then(RequestId::parse);
        let frame = match request {
            Some(request) => frame.answering(request),
            None => frame,
        };
        is_there &= push(listener, Outgoing::Event(frame), manner, voice);
    }
    is_there
}

/// `false`: the connection is gone. An overflow is the session's to see: it closes.
fn push(listener: &Listener, outgoing: Outgoing, manner: Manner, voice: &Voice<'_>) -> bool {
    let outbox = &listener.outbox;
    if outbox.is_closed() {
        return false;
    }
    let pushed = match manner {
        Manner::Always => outbox.push(outgoing),
        Manner::Timed(at) => outbox.push_timed(outgoing, at),
        Manner::Droppable if outbox.is_half_empty() => outbox.push(outgoing),
        Manner::Droppable => return true,
        Manner::Later => {
            let dropped = outbox.push_later(outgoing);
            voice.metrics.receipts_dropped.increment(u64::from(dropped));
            Ok(())
        }
        Manner::Once(once) => outbox.push_presence(outgoing, once),
        Manner::Same(once) => {
            let once = once.of_event(&outgoing);
            outbox.push_once(outgoing, once)
        }
    };
    if pushed.is_ok() {
        voice.metrics.deliveries.increment(1);
    }
    true
}
