//! Many senders who send again what was not acknowledged, and what the log has in the end.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use parlance::domain::id::RoomId;
use parlance::domain::position::Position;
use parlance::store::{AppendError, Store};
use tokio::time::{Instant, sleep};

use crate::store_support::{PATIENCE, message, text};

const SENDERS: usize = 8;

/// What was acknowledged, and when.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    acknowledged: Mutex<BTreeMap<String, (Position, Instant)>>,
    is_over: AtomicBool,
}

impl Ledger {
    /// Sends until [`Self::finish`]; each message until it is acknowledged.
    pub(crate) async fn send(&self, store: &Store, room: &RoomId) {
        join_all((0..SENDERS).map(|sender| self.one_sends(store, room, sender))).await;
    }

    async fn one_sends(&self, store: &Store, room: &RoomId, sender: usize) {
        let mut number = 0;
        while !self.is_over.load(Ordering::Relaxed) {
            let name = format!("{sender}-{number}");
            let began = Instant::now();
            let appended = loop {
                let send = message(room, &format!("user-{sender}"), Some(&name), &name);
                match store.append(send).await {
                    Ok(appended) => break appended,
                    Err(AppendError::Failed(_)) => (), // unknown, and safe to send again
                    Err(error @ (AppendError::Refused(_) | AppendError::Missing)) => {
                        panic!("{name}: {error:?}")
                    }
                }
                assert!(began.elapsed() < 6 * PATIENCE, "{name} is never acknowledged");
            };
            let at = (appended.position, Instant::now());
            self.acknowledged.lock().unwrap().insert(name, at);
            number += 1;
            sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) fn finish(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Waits for so many more acknowledgements, and tells when the first of them came.
    pub(crate) async fn more(&self, count: usize) -> Instant {
        let asked = Instant::now();
        loop {
            let mut since: Vec<Instant> = self.times().filter(|at| asked < *at).collect();
            if count <= since.len() {
                since.sort_unstable();
                return since[0];
            }
            assert!(asked.elapsed() < 6 * PATIENCE, "only {} of {count}", since.len());
            sleep(Duration::from_millis(20)).await;
        }
    }

    fn times(&self) -> impl Iterator<Item = Instant> + use<> {
        let acknowledged = self.acknowledged.lock().unwrap();
        acknowledged.values().map(|(_, at)| *at).collect::<Vec<_>>().into_iter()
    }

    /// All that was acknowledged is in the log, once, at the place that was told; numbers in the
    /// log have no hole.
    pub(crate) async fn holds(&self, store: &Store, room: &RoomId) {
        let acknowledged = self.acknowledged.lock().unwrap().clone();
        let mut log: BTreeMap<String, Vec<Position>> = BTreeMap::new();
        let mut place = Position::new(0, 0);
        loop {
            let parlance::store::Page::After(page) = store.history(room, place).await.unwrap()
            else {
                panic!("the log does not lead on from {place:?}")
            };
            let Some(last) = page.last() else { break };
            for (seq, entry) in (place.seq.0 + 1..).zip(&page) {
                assert_eq!(entry.position.seq.0, seq);
                log.entry(text(entry).to_owned()).or_default().push(entry.position);
            }
            place = last.position;
        }
        for (name, (position, _)) in &acknowledged {
            assert_eq!(log.get(name), Some(&vec![*position]), "{name}");
        }
        assert!(!acknowledged.is_empty());
    }
}
