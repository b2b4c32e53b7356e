//! The one task that publishes: whatever waits goes into the next script call, one call at a time.
//!
//! One caller is both cheaper and faster than several: while a call is on its way, what comes in
//! meanwhile becomes the next batch. Order is kept because nothing overtakes a call.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use fred::clients::Client;
use serde::Deserialize;
use tokio::select;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::domain::id::NodeLife;
use crate::domain::position::Position;
use crate::domain::refusal::{Outcome, Refusal};
use crate::domain::time::Timestamp;
use crate::domain::topic::Topic;
use crate::domain::trace::TraceParent;
use crate::store::confirm::{Confirmation, Stored};
use crate::store::keys::Half;
use crate::store::script::{DENY_OOM, FENCE, Failure, Input, PRELUDE, Script};
use crate::store::shard::Shard;
use crate::store::{AppendError, Appended, StoreError};
use crate::telemetry::traces::{Part, Span};

/// Jobs that may wait: a few seconds of a busy node.
pub(crate) const JOBS_WAITING_MAX: usize = 4096;

/// Bytes that may wait: most events are small, and a few large ones must not fill the memory while
/// Redis is away.
pub(crate) const BYTES_WAITING_MAX: usize = 64 * 1024 * 1024;

/// Items in one script call: beyond this a call grows longer, but no item cheaper.
const BATCH_ITEMS_MAX: usize = 64;

/// Bytes in one script call, unless a single item is larger: Redis does nothing else meanwhile.
const BATCH_BYTES_MAX: usize = 256 * 1024;

/// Pauses between attempts grow from here …
const PAUSE_MIN: Duration = Duration::from_millis(10);
/// … to here.
const PAUSE_MAX: Duration = Duration::from_millis(320);

static PUBLISH: LazyLock<Script> = LazyLock::new(|| {
    Script::new("publish", &[DENY_OOM, PRELUDE, FENCE, include_str!("../../lua/publish.lua")])
});

/// What an item of a batch is to the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Message,
    Event,
    Close,
    Reopen,
    Delete,
    Redact,
    /// Stores nothing: tells where the event with this mark is.
    Find,
    Signal,
}

/// An item that waits to be published.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) what: What,
    pub(crate) topic: Topic,
    /// The trace that it belongs to, if it is kept.
    pub(crate) trace: Option<TraceParent>,
    /// Under which a repeated attempt is recognised; every event has one, signals have none.
    pub(crate) mark: Option<[u8; 16]>,
    /// The user who wrote it; of a redaction the place of its message. Empty: the application.
    pub(crate) sender: String,
    pub(crate) body: Vec<u8>,
    /// The bytes that it takes of those that may wait.
    #[expect(dead_code, reason = "held until the job is done, never looked at")]
    pub(crate) room_taken: OwnedSemaphorePermit,
    /// Nobody waits for it any longer than this.
    pub(crate) deadline: Instant,
    /// `None`: nobody asks.
    pub(crate) answer: Option<oneshot::Sender<Result<Appended, AppendError>>>,
}

impl Job {
    fn bytes(&self) -> usize {
        self.body.len() + self.topic.name().len()
    }

    fn settle(self, result: Result<Appended, AppendError>) {
        if let Some(answer) = self.answer {
            // Whoever asked may have stopped waiting.
            drop(answer.send(result));
        }
    }
}

/// What the script answers for an item: epoch, seq, nth and time where it is stored.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Stored(u64, u64, u64, u64),
    Duplicate(u64, u64, u64, u64),
    Gone,
    Closed,
    Barred,
    Missing,
    Told,
    Failed(String),
}

impl Answer {
    fn into_result(self) -> Result<Appended, AppendError> {
        let appended = |(epoch, seq, nth, at), duplicate| Appended {
            position: Position::new(epoch, seq),
            nth,
            at: Timestamp(at),
            duplicate,
        };
        match self {
            Self::Stored(epoch, seq, nth, at) => Ok(appended((epoch, seq, nth, at), false)),
            Self::Duplicate(epoch, seq, nth, at) => Ok(appended((epoch, seq, nth, at), true)),
            Self::Gone => Err(AppendError::Refused(Refusal::RoomNotFound)),
            Self::Closed => Err(AppendError::Refused(Refusal::RoomClosed)),
            Self::Barred => Err(AppendError::Refused(Refusal::AccessDenied)),
            Self::Missing => Err(AppendError::Missing),
            Self::Told => Err(unknown("a signal was answered for an event")),
            Self::Failed(message) => {
                error!(error = %message, "redis failed one item of a batch");
                Err(unknown(&message))
            }
        }
    }
}

/// Redis may have done it.
pub(crate) fn unknown(message: &str) -> AppendError {
    AppendError::Failed(StoreError { outcome: Outcome::Unknown, message: message.to_owned() })
}

/// The publishing task.
pub(crate) struct Publisher {
    pub(crate) shard: Arc<Shard>,
    /// A client that nothing else uses.
    pub(crate) client: Client,
    pub(crate) confirmation: Confirmation,
    pub(crate) jobs: mpsc::Receiver<Job>,
    /// Did not fit into the last batch.
    pub(crate) carried: Option<Job>,
    pub(crate) stop: CancellationToken,
}

impl Publisher {
    pub(crate) async fn run(mut self) {
        let stop = self.stop.clone();
        loop {
            select! {
                biased;
                () = stop.cancelled() => return,
                batch = self.next_batch() => match batch {
                    Some(batch) => self.publish(batch).await,
                    None => return,
                },
            }
        }
    }

    /// Waits for a job and takes what else is there.
    async fn next_batch(&mut self) -> Option<Vec<Job>> {
        let first = match self.carried.take() {
            Some(job) => job,
            None => self.jobs.recv().await?,
        };
        let mut bytes = first.bytes();
        let mut batch = vec![first];
        while batch.len() < BATCH_ITEMS_MAX {
            let Ok(job) = self.jobs.try_recv() else { break };
            bytes += job.bytes();
            if BATCH_BYTES_MAX < bytes {
                self.carried = Some(job);
                break;
            }
            batch.push(job);
        }
        Some(batch)
    }

    /// Publishes a batch, in the same order again and again while that is safe and somebody waits.
    async fn publish(&self, mut batch: Vec<Job>) {
        let mut life = self.shard.life.clone();
        let mut pause = PAUSE_MIN;
        let mut may_have_run = false;
        loop {
            let now = Instant::now();
            // Whoever is dropped here has been told that the outcome is unknown.
            batch.retain(|job| now < job.deadline);
            let Some(deadline) = batch.iter().map(|job| job.deadline).max() else { return };
            let present = *life.borrow_and_update();
            let spans = trace(&batch);
            let answer = self.attempt(present, &batch, deadline).await;
            end(spans, answer.as_ref().err());
            match answer {
                Ok(answers) => return settle(batch, answers),
                Err(Failure::Stale) => {
                    self.shard.stale.send_replace(present);
                    // Either there is a new life or nobody waits: the loop finds out which.
                    drop(timeout_at(deadline, life.changed()).await);
                }
                Err(Failure::Full) if !may_have_run => {
                    return refuse(batch, &AppendError::Refused(Refusal::StorageFull));
                }
                Err(Failure::Full) => {
                    return refuse(batch, &unknown("redis is full and an attempt got no answer"));
                }
                Err(Failure::NotNow(_)) => back_off(&mut pause).await,
                Err(Failure::Unknown(_)) => {
                    may_have_run = true;
                    back_off(&mut pause).await;
                }
                Err(Failure::Broken(message)) => {
                    error!(error = %message, "redis refuses to publish");
                    return refuse(batch, &unknown(&message));
                }
            }
        }
    }

    /// Publishes a batch once. What somebody waits for is answered when it is confirmed.
    async fn attempt(
        &self,
        life: NodeLife,
        batch: &[Job],
        deadline: Instant,
    ) -> Result<Vec<Answer>, Failure> {
        let input = self.input(life, batch);
        let (generation, answers) = PUBLISH.once(&self.client, &input).await?;
        if batch.iter().any(|job| job.answer.is_some()) {
            let batch = Stored { generation, deadline };
            self.confirmation.of_batch(&self.shard, &self.client, batch).await?;
        }
        Ok(answers)
    }

    fn input(&self, life: NodeLife, batch: &[Job]) -> Input {
        let mut input = self.shard.input(life);
        input.number(self.shard.history.messages_per_room);
        input.number(self.shard.kept_s());
        input.number(self.shard.history.feed_batches);
        input.key(self.shard.keys.bars_everywhere());
        input.key(self.shard.keys.feed());
        let mut first_keys: HashMap<&Topic, usize> = HashMap::new();
        for job in batch {
            let first = *first_keys.entry(&job.topic).or_insert_with(|| {
                let first = input.keys.len() + 1; // Lua counts from 1
                self.add_keys(&job.topic, &mut input);
                first
            });
            let what = match (job.what, &job.topic) {
                (What::Message, _) => "message",
                (What::Event, _) => "event",
                (What::Close, _) => "close",
                (What::Reopen, _) => "reopen",
                (What::Delete, _) => "delete",
                (What::Redact, _) => "redact",
                (What::Find, _) => "find",
                (What::Signal, Topic::Room(_)) => "room_signal",
                (What::Signal, Topic::User(_)) => "user_signal",
            };
            input.text(what);
            input.number(first as u64);
            input.text(job.topic.name());
            input.bytes(job.mark.as_ref().map_or(&[], |mark| &mark[..]));
            input.text(&job.sender);
            input.bytes(&job.body);
        }
        input
    }

    fn add_keys(&self, topic: &Topic, input: &mut Input) {
        let keys = &self.shard.keys;
        input.key(keys.interest(topic));
        match topic {
            Topic::Room(room) => {
                input.key(keys.log(room));
                input.key(keys.recent(room, Half::Even));
                input.key(keys.recent(room, Half::Odd));
                input.key(keys.bars(room));
                input.key(keys.redacted(room));
            }
            Topic::User(_) => (),
        }
    }
}

async fn back_off(pause: &mut Duration) {
    sleep(*pause).await;
    *pause = (*pause * 2).min(PAUSE_MAX);
}

/// The call of the script, in the trace of each item that has one.
fn trace(batch: &[Job]) -> Vec<Span> {
    let call = |parent| {
        let mut span = Span::after(Some(parent), Part::Script);
        span.tell("db.operation.batch.size", batch.len());
        span
    };
    batch.iter().filter_map(|job| job.trace).map(call).collect()
}

fn end(spans: Vec<Span>, failure: Option<&Failure>) {
    for mut span in spans {
        if let Some(failure) = failure {
            span.failed(format_args!("{failure:?}"));
        }
    }
}

/// The script answers one for each item, in order.
fn settle(batch: Vec<Job>, answers: Vec<Answer>) {
    for (job, answer) in batch.into_iter().zip(answers) {
        if job.answer.is_some() {
            job.settle(answer.into_result());
        }
    }
}

fn refuse(batch: Vec<Job>, error: &AppendError) {
    for job in batch {
        job.settle(Err(error.clone()));
    }
}
