//! Files that messages carry: taken, kept in an object store, and linked to.
//!
//! A message keeps the attachments, never the bytes. What comes in is bounded before it is decoded
//! and judged before it is kept; what belongs to no message is removed again.

pub mod config;
mod intake;
mod kind;
mod link;
mod metrics;
mod name;
mod place;
#[cfg(test)]
pub(crate) mod samples;
mod sniff;

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use futures_util::{Stream, StreamExt};
use object_store::path::Path as Key;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt, PutPayload};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::spawn_blocking;
use tracing::{error, info, warn};

use crate::blobs::config::{Config, Place, PublicUrl};
use crate::blobs::intake::File;
use crate::blobs::kind::Kind;
pub use crate::blobs::link::Link;
use crate::blobs::link::Links;
use crate::domain::attachment::{Attachment, BlobId, Upload};
use crate::domain::refusal::{Outcome, Refusal};
use crate::domain::time::Timestamp;
use crate::lifecycle::Lifecycle;
use crate::secret::Secret;

/// Bytes of uploads that are on their way into the store at once, as they were sent; the gateway
/// has as much again for what comes in. A connection's commands run one after the other, so it has
/// one of them.
const IN_FLIGHT_BYTES_MAX: usize = 128 * 1024 * 1024;

/// When to try again while the node has no room: a slow store takes a few seconds for an upload.
const BUSY_RETRY_AFTER: Duration = Duration::from_secs(2);

/// Files that are removed at once.
const REMOVALS_AT_ONCE: usize = 16;

/// The node's files. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
    links: Arc<Links>,
    in_flight: Arc<Semaphore>,
    lifecycle: Lifecycle,
}

/// Files that were stored for a message that is not stored yet: dropped, they are removed again.
#[derive(Debug)]
#[must_use = "files that no message keeps are removed"]
pub struct Stored {
    blobs: Blobs,
    attachments: Vec<Attachment>,
}

/// Files that stay, for a message that is stored or may be.
#[derive(Debug)]
pub struct Kept {
    blobs: Blobs,
    attachments: Vec<Attachment>,
}

/// A file that is there.
#[derive(Debug)]
pub struct Blob {
    id: BlobId,
    store: Arc<dyn ObjectStore>,
    size: u64,
}

/// The object store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("the object store failed: {0}")]
pub struct BlobsError(#[from] object_store::Error);

impl Blobs {
    /// Opens the place for files: the configured one, else a folder below `data_dir`. A folder that
    /// cannot be made is logged, and uploads are refused: chat works without files.
    ///
    /// # Errors
    /// The settings do not make a store.
    pub fn open(
        config: &Config,
        data_dir: &Path,
        links: (&Secret<String>, PublicUrl),
        lifecycle: Lifecycle,
    ) -> Result<Self, BlobsError> {
        metrics::describe();
        let place = config.url.clone().unwrap_or_else(|| Place::Folder(data_dir.join("files")));
        match &place {
            Place::Folder(folder) => {
                info!(folder = %folder.display(), "files are kept in a folder of this machine");
                if let Err(error) = place::make_folder(folder) {
                    warn!(folder = %folder.display(), %error, "the folder for files cannot be made");
                }
            }
            Place::Bucket { name, .. } => info!(bucket = %name, "files are kept in a bucket"),
        }
        Ok(Self {
            store: place::store(&place, &config.aws)?,
            links: Arc::new(Links::new(links.0, links.1)),
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT_BYTES_MAX)),
            lifecycle,
        })
    }

    /// Takes the files of one message, all or none. They stay only if [`Stored::keep`] is called.
    /// A message without files has no business here.
    ///
    /// # Errors
    /// Too many, too large, malformed or of a kind that is not taken; `Busy` while the node has
    /// its hands full; the store is full or failed. Nothing stays stored then.
    pub async fn store(&self, uploads: Vec<Upload>) -> Result<Stored, Refusal> {
        let result = self.take(uploads).await;
        metrics::count(result.as_ref().err());
        result
    }

    async fn take(&self, uploads: Vec<Upload>) -> Result<Stored, Refusal> {
        let weight = u32::try_from(intake::weigh(&uploads)?).unwrap_or(u32::MAX); // it has a bound
        let room = Arc::clone(&self.in_flight).try_acquire_many_owned(weight);
        let room = room.map_err(|_full| Refusal::Busy { retry_after: BUSY_RETRY_AFTER })?;
        let (answer, answered) = oneshot::channel();
        let blobs = self.clone();
        // A task of its own: a client that leaves does not stop it half-way, so that what it has
        // stored is known and removed.
        self.lifecycle.spawn("upload", async move {
            let stored = blobs.judge_and_put(uploads).await;
            drop(room);
            drop(answer.send(stored)); // nobody waits: it comes back, and is removed
        });
        answered.await.unwrap_or(Err(Refusal::Unavailable(Outcome::Refused)))
    }

    async fn judge_and_put(&self, uploads: Vec<Upload>) -> Result<Stored, Refusal> {
        // Tens of megabytes take a while: not on a thread that serves connections.
        let judged = spawn_blocking(move || intake::files(uploads)).await;
        let files = judged.unwrap_or(Err(Refusal::Unavailable(Outcome::Refused)))?;
        let mut stored =
            Stored { blobs: self.clone(), attachments: Vec::with_capacity(files.len()) };
        for File { attachment, bytes } in files {
            let key = key(attachment.id);
            // Before it is put: what failed may be there all the same.
            stored.attachments.push(attachment);
            let put = self.store.put(&key, PutPayload::from(bytes)).await;
            put.map_err(|error| put_failed(&error))?;
        }
        Ok(stored)
    }

    /// An absolute link to the file that works for 24 hours from `now`.
    #[must_use]
    pub fn url(&self, attachment: &Attachment, now: Timestamp) -> String {
        self.links.url(attachment, now)
    }

    /// The file that a link opens at `now`; `None`: it was altered, or it has ended.
    #[must_use]
    pub fn verify(&self, link: Link<'_>, now: Timestamp) -> Option<BlobId> {
        self.links.verify(link, now)
    }

    /// Finds a file; `None`: it is gone.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn find(&self, id: BlobId) -> Result<Option<Blob>, BlobsError> {
        match self.store.head(&key(id)).await {
            Ok(found) => Ok(Some(Blob { id, store: Arc::clone(&self.store), size: found.size })),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the files of a message that is taken away. One that is gone is no failure.
    ///
    /// # Errors
    /// The store does not answer: some may be left, and removing them again is harmless.
    pub async fn remove(&self, attachments: &[Attachment]) -> Result<(), Refusal> {
        let ids: Vec<BlobId> = attachments.iter().map(|it| it.id).collect();
        let removed = stream::iter(ids).map(|id| async move {
            match self.store.delete(&key(id)).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(error) => {
                    warn!(blob.id = %id, %error, "a file cannot be removed");
                    Err(Refusal::Unavailable(Outcome::Refused))
                }
            }
        });
        let removed: Vec<_> = removed.buffer_unordered(REMOVALS_AT_ONCE).collect().await;
        removed.into_iter().collect()
    }
}

impl Stored {
    /// What the message shall carry.
    #[must_use]
    pub fn attachments(&self) -> &[Attachment] {
        &self.attachments
    }

    /// The message is being stored: the files stay, whatever becomes of the caller.
    pub fn keep(mut self) -> Kept {
        Kept { blobs: self.blobs.clone(), attachments: std::mem::take(&mut self.attachments) }
    }
}

impl Kept {
    /// What the message carries.
    #[must_use]
    pub fn attachments(&self) -> &[Attachment] {
        &self.attachments
    }

    /// The message was not stored: its files are removed in the background.
    pub fn discard(self) {
        drop(Stored { blobs: self.blobs, attachments: self.attachments });
    }
}

impl Drop for Stored {
    fn drop(&mut self) {
        let attachments = std::mem::take(&mut self.attachments);
        if !attachments.is_empty() {
            let blobs = self.blobs.clone();
            let lifecycle = blobs.lifecycle.clone();
            lifecycle.spawn("removal of files", async move {
                drop(blobs.remove(&attachments).await); // it was logged, and nobody waits for it
            });
        }
    }
}

impl Blob {
    /// How many bytes it has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Its bytes, or some of them.
    ///
    /// # Errors
    /// The store does not answer; later failures are in the stream.
    pub async fn read(
        &self,
        range: Option<Range<u64>>,
    ) -> Result<impl Stream<Item = Result<Bytes, BlobsError>> + use<>, BlobsError> {
        let options = GetOptions { range: range.map(Into::into), ..GetOptions::default() };
        let found = self.store.get_opts(&key(self.id), options).await?;
        Ok(found.into_stream().map(|it| it.map_err(BlobsError)))
    }
}

/// The media type of a file, by the name that it was given here.
#[must_use]
pub fn media_type(name: &str) -> &'static str {
    let kind = name::ending(name).and_then(Kind::of_ending);
    kind.map_or("application/octet-stream", Kind::media_type)
}

fn key(id: BlobId) -> Key {
    Key::from(id.to_string())
}

fn put_failed(failure: &object_store::Error) -> Refusal {
    error!(error = %failure, "a file cannot be stored");
    if is_full(failure) { Refusal::StorageFull } else { Refusal::Unavailable(Outcome::Refused) }
}

/// Whether the cause of it all is a disk or a quota that is full.
fn is_full(failure: &(dyn std::error::Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(failure), |it| it.source());
    causes
        .filter_map(|it| it.downcast_ref::<io::Error>())
        .any(|it| matches!(it.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
}

#[cfg(test)]
mod tests;
