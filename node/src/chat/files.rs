//! Files of messages: kept with their message, and gone with it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, sleep};
use tracing::{debug, warn};
use uuid::Uuid;

use crate::blobs::{Kept, Stored};
use crate::chat::{Chat, unavailable};
use crate::domain::attachment::{Attachment, Upload};
use crate::domain::event::Event;
use crate::domain::id::{ClientMessageId, RoomId, UserId};
use crate::domain::position::Position;
use crate::domain::refusal::{Outcome, Refusal};
use crate::store::{Append, AppendError, Appended};

/// Messages of which it is not known whether they were stored. The files of further ones stay.
const UNSETTLED_MAX: usize = 1000;

/// How long Redis is asked what became of a message: the time for which it surely remembers.
const SETTLING_MAX: Duration = Duration::from_secs(9 * 60);

/// Between two questions.
const SETTLING_PAUSE: Duration = Duration::from_secs(2);

/// Entries that are looked through at once for files.
const ENTRIES_AT_ONCE: usize = 256;

/// Higher than any place in a log.
const ANY_SEQ: u64 = (1 << 53) - 1;

pub(super) fn places() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(UNSETTLED_MAX))
}

/// An attempt to store a message with files.
struct Attempt {
    room: RoomId,
    sender: Option<UserId>,
    name: ClientMessageId,
    kept: Kept,
}

impl Chat {
    /// Stores a message and its files, these first. They stay only if the log has the message, with
    /// these files and not those of an earlier attempt.
    pub(super) async fn append_with(
        &self,
        uploads: Vec<Upload>,
        append: Append,
    ) -> Result<Appended, Refusal> {
        if uploads.is_empty() {
            return self.append(append).await;
        }
        let stored = self.blobs.store(uploads).await?;
        let (answer, answered) = oneshot::channel();
        let chat = self.clone();
        // A task of its own: a connection that ends meanwhile does not keep its message's files from
        // being settled.
        self.lifecycle.spawn("message with files", async move {
            let appended = chat.append_and_settle(append, stored).await;
            drop(answer.send(appended)); // nobody waits: it is settled all the same
        });
        answered.await.unwrap_or(Err(Refusal::Unavailable(Outcome::Unknown)))
    }

    async fn append_and_settle(&self, append: Append, stored: Stored) -> Result<Appended, Refusal> {
        let Some((append, attempt)) = attempt(append, stored) else {
            return Err(Refusal::Unavailable(Outcome::Refused));
        };
        let appended = self.append(append).await;
        match &appended {
            Ok(appended) if !appended.duplicate => (),
            Err(refusal) if refusal.outcome() == Outcome::Unknown => self.settle_later(attempt),
            Ok(_) | Err(_) => attempt.kept.discard(),
        }
        appended
    }

    fn settle_later(&self, attempt: Attempt) {
        let Ok(place) = Arc::clone(&self.unsettled).try_acquire_owned() else {
            warn!(room.id = %attempt.room, "files may stay behind that no message names");
            return;
        };
        let chat = self.clone();
        self.lifecycle.spawn("settling of files", async move {
            chat.settle(attempt).await;
            drop(place);
        });
    }

    /// Asks what became of a message until that is known.
    async fn settle(&self, attempt: Attempt) {
        let deadline = Instant::now() + SETTLING_MAX;
        while Instant::now() < deadline {
            sleep(SETTLING_PAUSE).await;
            match self.is_stored(&attempt).await {
                Ok(stored) => {
                    debug!(room.id = %attempt.room, stored, "an attempt with files is settled");
                    if !stored {
                        attempt.kept.discard();
                    }
                    return;
                }
                Err(error) => debug!(?error, "it is not known yet whether a message was stored"),
            }
        }
        warn!(room.id = %attempt.room, "files may stay behind that no message names");
    }

    /// Whether the log has the message with the files of this attempt.
    async fn is_stored(&self, attempt: &Attempt) -> Result<bool, AppendError> {
        let Attempt { room, sender, name, kept } = attempt;
        let Some(at) = self.store.find(room, sender.as_ref(), name).await? else {
            return Ok(false);
        };
        let entry = self.store.entry(room, at).await.map_err(AppendError::Failed)?;
        let message = entry.as_ref().and_then(|it| it.event.message());
        Ok(message.is_some_and(|it| it.attachments == kept.attachments()))
    }

    /// Removes the files of all messages of a room, however old.
    pub(super) async fn remove_files(&self, room: &RoomId) -> Result<(), Refusal> {
        let mut up_to = Position::new(0, ANY_SEQ);
        loop {
            let entries = self.store.newest(room, up_to, ENTRIES_AT_ONCE).await;
            let entries = entries.map_err(unavailable)?;
            let files = entries.iter().filter_map(|it| it.event.message());
            let files: Vec<Attachment> = files.flat_map(|it| it.attachments.clone()).collect();
            self.blobs.remove(&files).await?;
            match entries.first() {
                Some(oldest) if 1 < oldest.position.seq.0 => {
                    up_to.seq.0 = oldest.position.seq.0 - 1
                }
                Some(_) | None => return Ok(()),
            }
        }
    }
}

/// The message with its files, under a name by which it is found again; `None`: it is no message.
fn attempt(mut append: Append, stored: Stored) -> Option<(Append, Attempt)> {
    let Event::MessagePosted(message) = &mut append.event else { return None };
    message.attachments = stored.attachments().to_vec();
    let unnamed = || ClientMessageId::parse(&Uuid::new_v4().to_string()).ok();
    let name = append.client_message_id.clone().or_else(unnamed)?;
    append.client_message_id = Some(name.clone());
    let (room, sender) = (append.room.clone(), append.sender.clone());
    Some((append, Attempt { room, sender, name, kept: stored.keep() }))
}
