//! Events that are larger than others because files come with them: which ones may be, and how much
//! of them this node holds at once.
//!
//! An event grows by what its client sends, and so does the room that is taken for it: whoever
//! announces much and sends little holds little.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::domain::refusal::Refusal;
use crate::gateway::config::{Heartbeat, Limits};
use crate::gateway::{TakesFiles, packet_bytes_max};
use crate::session::peer::Held;

/// Bytes of one packet before its client has shown who it is.
const STRANGER_BYTES_MAX: usize = 64 * 1024;

/// Bytes of one packet with files; the files themselves have a smaller bound.
const UPLOAD_PACKET_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Bytes of large events that this node is sent and carries out at once. The store of files has as
/// much again for what is on its way there.
const ROOM_BYTES: usize = 128 * 1024 * 1024;

/// Room is taken in portions: a read brings a few kilobytes.
const PORTION_BYTES: usize = 256 * 1024;

/// When a client whose event found no room may try again.
const BUSY_RETRY_AFTER: Duration = Duration::from_secs(2);

/// One per gateway.
pub(super) struct Uploads {
    room: Arc<Semaphore>,
    /// Bytes of a packet without files.
    ordinary_bytes: usize,
    /// Longer than a client can send one packet: it would have missed a ping.
    packet_duration_max: Duration,
    takes_files: TakesFiles,
}

impl std::fmt::Debug for Uploads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Uploads").field("room", &self.room).finish_non_exhaustive()
    }
}

/// More than this client may send, or than there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the packet is too large")]
pub(super) struct TooMuch;

impl Uploads {
    /// All room is free.
    #[must_use]
    pub(super) fn new(limits: Limits, heartbeat: Heartbeat, takes_files: TakesFiles) -> Arc<Self> {
        let milliseconds = heartbeat.interval_ms.saturating_add(heartbeat.timeout_ms.get());
        Arc::new(Self {
            room: Arc::new(Semaphore::new(ROOM_BYTES)),
            ordinary_bytes: packet_bytes_max(limits),
            packet_duration_max: Duration::from_millis(milliseconds.get()),
            takes_files,
        })
    }

    /// Bytes of a packet of somebody who is known, or is not.
    #[must_use]
    pub(super) fn packet_bytes_max(&self, is_known: bool) -> usize {
        if is_known {
            self.ordinary_bytes.max(UPLOAD_PACKET_BYTES_MAX)
        } else {
            self.ordinary_bytes.min(STRANGER_BYTES_MAX)
        }
    }

    /// Whether a packet of so many bytes needs room.
    #[must_use]
    pub(super) fn is_large(&self, bytes: usize) -> bool {
        self.ordinary_bytes < bytes
    }

    /// Whether files may come with this event: the JSON array of its packet, or the begin of it.
    #[must_use]
    pub(super) fn takes_files(&self, namespace: &str, packet: &str) -> bool {
        (self.takes_files)(namespace, packet)
    }

    /// Makes `held` room for a packet of so many bytes. `false`: there is not so much.
    #[must_use]
    pub(super) fn hold(&self, held: &mut Held, bytes: usize) -> bool {
        let missing = bytes.saturating_sub(held.as_ref().map_or(0, |it| it.num_permits()));
        if !self.is_large(bytes) || missing == 0 {
            return true;
        }
        let portion = u32::try_from(missing.next_multiple_of(PORTION_BYTES)).unwrap_or(u32::MAX);
        match (Arc::clone(&self.room).try_acquire_many_owned(portion), held) {
            (Ok(more), Some(held)) => held.merge(more),
            (Ok(more), held @ None) => *held = Some(more),
            (Err(_full), _) => return false,
        }
        true
    }

    /// Judges a packet that is whole, and completes its room.
    ///
    /// # Errors
    /// No files may come with it, or there is no room.
    pub(super) fn admit(
        &self,
        namespace: &str,
        packet: &str,
        held: &mut Held,
    ) -> Result<(), Refusal> {
        if !self.is_large(packet.len()) {
            return Ok(());
        }
        if !self.takes_files(namespace, packet) {
            return Err(Refusal::invalid("the event is too large"));
        }
        if self.hold(held, packet.len()) { Ok(()) } else { Err(busy()) }
    }
}

/// There is no room now.
#[must_use]
pub(super) fn busy() -> Refusal {
    Refusal::Busy { retry_after: BUSY_RETRY_AFTER }
}

/// What a client of the engine is sending over a WebSocket. The engine puts its packets together
/// unseen, so what counts is how much came in since the last event was whole.
pub(super) struct Receiving {
    uploads: Arc<Uploads>,
    /// Whether the client has shown who it is.
    pub(super) known: Arc<AtomicBool>,
    under_way: Mutex<UnderWay>,
}

struct UnderWay {
    bytes: usize,
    began: Instant,
    held: Option<OwnedSemaphorePermit>,
}

impl Receiving {
    /// Nothing has come yet, from a client that nobody knows.
    #[must_use]
    pub(super) fn new(uploads: Arc<Uploads>) -> Self {
        let under_way = UnderWay { bytes: 0, began: Instant::now(), held: None };
        Self { uploads, known: Arc::default(), under_way: Mutex::new(under_way) }
    }

    /// Whether the client has shown who it is.
    #[must_use]
    pub(super) fn is_known(&self) -> bool {
        self.known.load(Ordering::Relaxed)
    }

    /// So many bytes have come in.
    ///
    /// # Errors
    /// The client may not send so much, or there is no room for it.
    pub(super) fn read(&self, bytes: usize) -> Result<(), TooMuch> {
        let mut under_way = self.lock();
        // What came so long ago is no part of a packet that is still under way.
        if self.uploads.packet_duration_max < under_way.began.elapsed() {
            *under_way = UnderWay { bytes: 0, began: Instant::now(), held: None };
        }
        under_way.bytes += bytes;
        let bytes = under_way.bytes;
        let fits = bytes <= self.uploads.packet_bytes_max(self.is_known())
            && self.uploads.hold(&mut under_way.held, bytes);
        if fits { Ok(()) } else { Err(TooMuch) }
    }

    /// An event is whole: the room that it holds.
    pub(super) fn take(&self) -> Held {
        let mut under_way = self.lock();
        under_way.bytes = 0;
        under_way.began = Instant::now();
        under_way.held.take()
    }

    fn lock(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Receiving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiving").field("known", &self.known).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    fn uploads() -> Arc<Uploads> {
        let takes_files = Arc::new(|_: &str, packet: &str| packet.starts_with(r#"["files""#));
        Uploads::new(Limits::default(), Heartbeat::default(), takes_files)
    }

    #[test]
    fn room_grows_with_what_came_and_is_given_back() {
        let uploads = uploads();
        let mut held = None;
        assert!(uploads.hold(&mut held, MIB / 2) && held.is_none(), "ordinary events hold nothing");
        let mut all = Vec::new();
        for _ in 0..4 {
            let mut held = None;
            assert!((2..=32).all(|it| uploads.hold(&mut held, it * MIB)));
            all.push(held);
        }
        assert!(!uploads.hold(&mut held, 2 * MIB));
        assert_eq!(
            uploads.admit("/", &format!("[\"files\"{}", " ".repeat(2 * MIB)), &mut None),
            Err(busy())
        );
        all.pop();
        assert!(uploads.hold(&mut held, 2 * MIB));
    }

    #[test]
    fn only_events_with_files_may_be_large() {
        let uploads = uploads();
        let large = |name: &str| format!("[\"{name}\"{}", " ".repeat(2 * MIB));
        let admit = |packet: &str| uploads.admit("/", packet, &mut None).map_err(|it| it.code());
        assert_eq!(admit("[\"other\"]"), Ok(()));
        assert_eq!(admit(&large("files")), Ok(()));
        assert_eq!(admit(&large("other")), Err("INVALID_DATA"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stranger_may_send_little_and_what_came_long_ago_does_not_count() {
        let receiving = Receiving::new(uploads());
        assert_eq!(receiving.read(STRANGER_BYTES_MAX), Ok(()));
        assert_eq!(receiving.read(1), Err(TooMuch));
        receiving.known.store(true, Ordering::Relaxed);
        assert_eq!(receiving.read(2 * MIB), Ok(()));
        assert!(receiving.take().is_some() && receiving.take().is_none());
        assert_eq!(receiving.read(20 * MIB), Ok(()));
        tokio::time::advance(Duration::from_secs(86)).await;
        assert_eq!(receiving.read(20 * MIB), Ok(()));
        assert_eq!(receiving.read(20 * MIB), Err(TooMuch));
    }
}
