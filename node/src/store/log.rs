//! Rooms' logs: adding to them and reading them.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde::Deserialize;
use serde_bytes::ByteBuf;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};
use tracing::error;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_128;

use crate::domain::event::{Event, Origin, SharedEntry};
use crate::domain::id::{ClientMessageId, RoomId, UserId};
use crate::domain::position::Position;
use crate::domain::refusal::{Outcome, Refusal};
use crate::domain::signal::Signal;
use crate::domain::topic::Topic;
use crate::domain::trace::TraceParent;
use crate::store::codec::{EncodeError, decode_record, encode_body, encode_signal};
use crate::store::publisher::{JOBS_WAITING_MAX, Job, What, unknown};
use crate::store::script::{Input, NO_WRITES, Script};
use crate::store::shard::PATIENCE;
use crate::store::{
    Append, AppendError, Appended, Counted, Head, Page, Redaction, Store, StoreError,
};
use crate::telemetry::traces::{Part, Span};

/// How long a client should wait when this node's queue is full: it drains within that, or Redis
/// is away.
const BUSY_RETRY_AFTER: Duration = Duration::from_secs(1);

const PAGES: &str = include_str!("../../lua/pages.lua");

fn reading(name: &'static str, text: &str) -> Script {
    Script::new(name, &[NO_WRITES, PAGES, text])
}

static HISTORY: LazyLock<Script> =
    LazyLock::new(|| reading("history", include_str!("../../lua/history.lua")));
static ENTRY: LazyLock<Script> =
    LazyLock::new(|| reading("entry", include_str!("../../lua/entry.lua")));
static NEWEST: LazyLock<Script> =
    LazyLock::new(|| reading("newest", include_str!("../../lua/newest.lua")));
static MESSAGES: LazyLock<Script> =
    LazyLock::new(|| reading("messages", include_str!("../../lua/messages.lua")));

/// Epoch, seq and nth, as scripts answer them.
type Place = (u64, u64, u64);

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum PageAnswer {
    After(Vec<ByteBuf>),
    Reset(Place, Vec<ByteBuf>),
}

impl Store {
    /// Stores and publishes an event, once per `clientMessageId`. Answers within three seconds.
    ///
    /// # Errors
    /// Refused by the room's state, a bar or a full queue; or Redis did not do it.
    pub async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let (room, is_open) = match &append.event {
            Event::RoomClosed { .. } | Event::RoomDeleted => (Some(append.room.clone()), false),
            Event::RoomReopened => (Some(append.room.clone()), true),
            Event::MessagePosted(_)
            | Event::MessageEdited { .. }
            | Event::MessageDeleted { .. }
            | Event::RoomUpdated { .. }
            | Event::AccessChanged { .. }
            | Event::Erased => (None, true),
        };
        let result = self.enqueue(append).await;
        match (&result, room) {
            (Ok(_), Some(room)) if is_open => self.wake(&room).await,
            (Ok(_), Some(room)) => self.rest(&room).await,
            (Ok(_), None) | (Err(_), _) => (),
        }
        let metrics = &self.shard.metrics;
        match &result {
            Ok(appended) if appended.duplicate => metrics.duplicate.increment(1),
            Ok(_) => metrics.stored.increment(1),
            Err(AppendError::Refused(_) | AppendError::Missing) => metrics.refused.increment(1),
            Err(AppendError::Failed(error)) => match error.outcome {
                Outcome::Refused => metrics.failed.increment(1),
                Outcome::Unknown => metrics.unknown.increment(1),
            },
        }
        result
    }

    /// Where the message of an earlier attempt is, if there is one. Asked behind all that this node
    /// has appended, so an attempt that brought no answer cannot be carried out after this one.
    ///
    /// # Errors
    /// Redis did not answer, or too much waits.
    pub async fn find(
        &self,
        room: &RoomId,
        sender: Option<&UserId>,
        name: &ClientMessageId,
    ) -> Result<Option<Position>, AppendError> {
        let mark = mark(sender, Some(name));
        match self.ask(What::Find, room.clone(), (mark, None), (String::new(), Vec::new())).await {
            Ok(found) => Ok(Some(found.position)),
            Err(AppendError::Missing) => Ok(None),
            Err(error @ (AppendError::Refused(_) | AppendError::Failed(_))) => Err(error),
        }
    }

    async fn enqueue(&self, append: Append) -> Result<Appended, AppendError> {
        let node = *self.shard.life.borrow();
        let mut span = Span::after(append.trace, Part::Publish);
        span.tell("messaging.destination.name", &append.room);
        let trace = span.parent();
        let origin = append.origin.clone();
        let origin = origin.map(|(conn, request)| Origin { node, conn, request, trace });
        let encoded = encode(origin.as_ref(), &append);
        let encoded = encoded.map_err(|error| {
            error!(room.id = %append.room, %error, "an event cannot be encoded");
            AppendError::Failed(StoreError::refused(error.to_string()))
        })?;
        let mark = mark(append.sender.as_ref(), append.client_message_id.as_ref());
        self.ask(what(&append.event), append.room, (mark, trace), encoded).await
    }

    /// Has the publisher do something with a room's log, and waits for the answer.
    async fn ask(
        &self,
        what: What,
        room: RoomId,
        (mark, trace): ([u8; 16], Option<TraceParent>),
        (sender, body): (String, Vec<u8>),
    ) -> Result<Appended, AppendError> {
        let deadline = Instant::now() + PATIENCE;
        let busy = || AppendError::Refused(Refusal::Busy { retry_after: BUSY_RETRY_AFTER });
        let room_taken = self.take_room(&body).ok_or_else(busy)?;
        let (answer, answered) = oneshot::channel();
        let job = Job {
            what,
            topic: Topic::Room(room),
            trace,
            mark: Some(mark),
            sender,
            body,
            room_taken,
            deadline,
            answer: Some(answer),
        };
        self.jobs.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => busy(),
            mpsc::error::TrySendError::Closed(_) => {
                AppendError::Failed(StoreError::refused("the store has stopped".to_owned()))
            }
        })?;
        match timeout_at(deadline, answered).await {
            Ok(Ok(result)) => result,
            // Dropped by the publisher, or still on its way.
            Ok(Err(_)) | Err(_) => Err(unknown("redis gave no answer in time")),
        }
    }

    /// Publishes a signal, at most once; dropped where the publisher's queue is half full.
    #[expect(clippy::needless_pass_by_value, reason = "a signal is made to be sent")]
    pub fn signal(&self, topic: Topic, signal: Signal) {
        if self.jobs.capacity() < JOBS_WAITING_MAX / 2 {
            self.shard.metrics.signals_dropped.increment(1);
            return;
        }
        let body = match encode_signal(&signal) {
            Ok(body) => body,
            Err(error) => {
                error!(%topic, %error, "a signal cannot be encoded");
                return;
            }
        };
        let deadline = Instant::now() + PATIENCE;
        let job = self.take_room(&body).map(|room_taken| Job {
            what: What::Signal,
            topic,
            trace: None,
            mark: None,
            sender: String::new(),
            body,
            room_taken,
            deadline,
            answer: None,
        });
        if job.is_none_or(|job| self.jobs.try_send(job).is_err()) {
            self.shard.metrics.signals_dropped.increment(1);
        }
    }

    /// Room for these bytes among those that may wait; given back when the job is done.
    fn take_room(&self, body: &[u8]) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(body.len()).ok()?;
        Arc::clone(&self.jobs_room).try_acquire_many_owned(bytes).ok()
    }

    /// What follows `after` in a room's log.
    ///
    /// # Errors
    /// Redis did not answer, or the log holds what this release cannot read.
    pub async fn history(&self, room: &RoomId, after: Position) -> Result<Page, StoreError> {
        let mut input = Input::default();
        input.key(self.shard.keys.meta(room));
        input.key(self.shard.keys.log(room));
        input.key(self.shard.keys.redacted(room));
        input.number(after.epoch.0);
        input.number(after.seq.0);
        input.number(self.shard.kept_s());
        Ok(match HISTORY.call(&self.shard.client, &input, PATIENCE).await? {
            PageAnswer::After(records) => Page::After(decode_all(room, &records)?),
            PageAnswer::Reset(head, records) => {
                Page::Reset { head: head_at(head), newest: decode_all(room, &records)? }
            }
        })
    }

    /// The newest entries up to and with `up_to`, oldest first: at most `count`, and about a
    /// mebibyte. Epochs are not compared: see whether the last one is at `up_to`.
    ///
    /// # Errors
    /// As [`Self::history`].
    pub async fn newest(
        &self,
        room: &RoomId,
        up_to: Position,
        count: usize,
    ) -> Result<Vec<SharedEntry>, StoreError> {
        let mut input = Input::default();
        input.key(self.shard.keys.log(room));
        input.key(self.shard.keys.redacted(room));
        input.number(up_to.seq.0);
        input.number(count as u64);
        let found: Vec<ByteBuf> = NEWEST.call(&self.shard.client, &input, PATIENCE).await?;
        decode_all(room, &found)
    }

    /// A page of a room's messages without other events, oldest first: at most `limit`, and about
    /// a mebibyte, after passing over the `offset` newest of those counted. Beside it the number of
    /// messages that the room has had, also of those that are no longer kept.
    ///
    /// # Errors
    /// As [`Self::history`].
    pub async fn messages(
        &self,
        room: &RoomId,
        (limit, offset): (u32, u64),
        counted: Counted,
    ) -> Result<(u64, Vec<SharedEntry>), StoreError> {
        let mut input = Input::default();
        input.key(self.shard.keys.meta(room));
        input.key(self.shard.keys.log(room));
        input.key(self.shard.keys.redacted(room));
        input.number(offset);
        input.number(u64::from(limit));
        input.number(self.shard.kept_s());
        match counted {
            Counted::All => (),
            Counted::Before(nth) => input.number(nth),
            Counted::UpTo(Position { epoch, seq }) => {
                input.number(epoch.0);
                input.number(seq.0);
            }
        }
        let (total, found): (u64, Vec<ByteBuf>) =
            MESSAGES.call(&self.shard.client, &input, PATIENCE).await?;
        let mut entries = decode_all(room, &found)?;
        entries.retain(|it| it.event.is_message());
        Ok((total, entries))
    }

    /// The entry at exactly this place, if the log still has it.
    ///
    /// # Errors
    /// As [`Self::history`].
    pub async fn entry(
        &self,
        room: &RoomId,
        at: Position,
    ) -> Result<Option<SharedEntry>, StoreError> {
        let mut input = Input::default();
        input.key(self.shard.keys.log(room));
        input.key(self.shard.keys.redacted(room));
        input.number(at.epoch.0);
        input.number(at.seq.0);
        let found: Vec<ByteBuf> = ENTRY.call(&self.shard.client, &input, PATIENCE).await?;
        Ok(decode_all(room, &found)?.pop())
    }
}

pub(crate) fn head_at((epoch, seq, nth): Place) -> Head {
    Head { position: Position::new(epoch, seq), nth }
}

pub(crate) fn decode_all(
    room: &RoomId,
    records: &[ByteBuf],
) -> Result<Vec<SharedEntry>, StoreError> {
    let decoded: Result<Vec<_>, _> =
        records.iter().map(|record| decode_record(room, record)).collect();
    decoded.map_err(|error| StoreError::refused(format!("a record of room {room} is {error}")))
}

/// What the script knows as the sender, and the body. A redaction names its message's place, and
/// brings along what is left there.
fn encode(origin: Option<&Origin>, append: &Append) -> Result<(String, Vec<u8>), EncodeError> {
    let body = encode_body(origin, &append.event)?;
    let Some(Redaction { message, left }) = &append.redacts else {
        let sender = append.sender.as_ref().map_or("", UserId::as_str);
        return Ok((sender.to_owned(), body));
    };
    let (left, erased) = (encode_body(None, left)?, encode_body(None, &Event::Erased)?);
    let lengths = format!("{} {}\n", body.len(), left.len()).into_bytes();
    let Position { epoch, seq } = message.position();
    Ok((format!("{} {}", epoch.0, seq.0), [lengths, body, left, erased].concat()))
}

fn what(event: &Event) -> What {
    match event {
        Event::MessagePosted(_) => What::Message,
        Event::RoomUpdated { .. } => What::Event,
        Event::RoomClosed { .. } => What::Close,
        Event::RoomReopened => What::Reopen,
        Event::RoomDeleted => What::Delete,
        Event::MessageEdited { .. } | Event::MessageDeleted { .. } => What::Redact,
        Event::AccessChanged { .. } | Event::Erased => What::Event,
    }
}

/// The mark under which a repeated attempt is recognised. What has no name of its sender gets one
/// of its own, so the publisher can repeat every call without storing anything twice.
fn mark(sender: Option<&UserId>, name: Option<&ClientMessageId>) -> [u8; 16] {
    match name {
        Some(name) => {
            // No id holds a zero byte, so no two pairs read the same.
            let sender = sender.map_or("", UserId::as_str);
            xxh3_128(format!("{sender}\0{name}").as_bytes()).to_be_bytes()
        }
        None => Uuid::new_v4().into_bytes(),
    }
}
