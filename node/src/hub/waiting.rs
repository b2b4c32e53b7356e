//! How much waits in all outboxes of this process.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Outboxes spread over these, so that cores seldom write to the same place.
const SHARDS: usize = 16;

/// Alone on its cache line.
#[derive(Debug)]
#[repr(align(128))]
struct Shard(AtomicU64);

static TOTALS: [Shard; SHARDS] = [const { Shard(AtomicU64::new(0)) }; SHARDS];

/// What waits in one outbox; its drop takes it out of the total.
#[derive(Debug)]
pub(super) struct Waiting {
    bytes: AtomicU64,
    total: &'static AtomicU64,
}

impl Default for Waiting {
    fn default() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let shard = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
        Self { bytes: AtomicU64::new(0), total: &TOTALS[shard].0 }
    }
}

impl Waiting {
    /// These bytes are put in.
    pub(super) fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.total.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// These bytes are taken out.
    pub(super) fn remove(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes as u64, Ordering::Relaxed);
        self.total.fetch_sub(bytes as u64, Ordering::Relaxed);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.total.fetch_sub(*self.bytes.get_mut(), Ordering::Relaxed);
    }
}

/// What waits in all of them. Parts are read one after the other, so it is about right.
pub(super) fn bytes() -> u64 {
    let total = TOTALS.iter().fold(0_u64, |sum, it| sum.wrapping_add(it.0.load(Ordering::Relaxed)));
    // A frame may be taken out in one moment before it counts as put in.
    if total <= i64::MAX as u64 { total } else { 0 }
}
