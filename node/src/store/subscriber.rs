//! The one task that hears this node's inbox and hands on what it hears.
//!
//! Publications may be lost; every frame carries the inbox's count, so a loss is seen with the next
//! frame or beat, and every keeper then compares its topics with their logs. Nothing here waits for
//! a keeper.

use std::sync::Arc;

use fred::clients::Client;
use fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use fred::types::Message;
use tokio::select;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use crate::domain::id::NodeLife;
use crate::domain::revoked::Revocation;
use crate::domain::signal::Signal;
use crate::domain::topic::Topic;
use crate::store::client::COMMAND_TIMEOUT;
use crate::store::codec::{Frame, decode_frame};
use crate::store::shard::Shard;
use crate::store::{Arrival, Arrivals};

/// The newest own beat that came back through the inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Its number; 0: none yet.
    pub(crate) beat: u64,
    /// When it was heard.
    pub(crate) at: Instant,
}

/// How far the inbox was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Place {
    generation: u64,
    count: u64,
}

impl Place {
    /// Takes a frame's place and tells whether frames before it are missing.
    fn advance(&mut self, frame: &Frame) -> bool {
        let expected = match frame.beat {
            0 => self.count + 1,
            _ => self.count,
        };
        // Before the first frame nothing is known, so nothing can be missed.
        let first = *self == Self::default();
        let complete = frame.generation == self.generation && frame.count == expected;
        *self = Self { generation: frame.generation, count: frame.count };
        !first && !complete
    }
}

/// The hearing task.
pub(crate) struct Subscriber {
    pub(crate) shard: Arc<Shard>,
    /// A client that nothing but subscriptions uses.
    pub(crate) client: Client,
    pub(crate) life: watch::Receiver<NodeLife>,
    pub(crate) arrivals: Arrivals,
    pub(crate) heard: watch::Sender<Heard>,
    /// Told when beats return and are not heard.
    pub(crate) deaf: Arc<Notify>,
    pub(crate) stop: CancellationToken,
}

impl Subscriber {
    pub(crate) async fn run(mut self) {
        let mut messages = self.client.message_rx();
        let mut reconnects = self.client.reconnect_rx();
        let mut place = Place::default();
        let mut index = self.life.borrow_and_update().index;
        self.subscribe(index).await;
        loop {
            select! {
                biased;
                () = self.stop.cancelled() => return,
                message = messages.recv() => match message {
                    Ok(message) => self.hear(&message, index, &mut place),
                    Err(RecvError::Lagged(frames)) => self.lagged(frames),
                    Err(RecvError::Closed) => return,
                },
                _ = reconnects.recv() => {
                    self.shard.metrics.reconnects.increment(1);
                    self.subscribe(index).await;
                }
                () = self.deaf.notified() => self.heal(index).await,
                Ok(()) = self.life.changed() => {
                    let next = self.life.borrow_and_update().index;
                    if next != index {
                        self.unsubscribe(index).await;
                        (index, place) = (next, Place::default());
                        self.subscribe(index).await;
                    }
                }
            }
        }
    }

    /// The library answers before the server does, so this proves nothing: only a beat does.
    async fn subscribe(&self, index: u32) {
        if let Err(error) = self.client.subscribe(self.shard.keys.inbox(index)).await {
            warn!(%error, "subscribing to this node's inbox failed; the beat tries again");
        }
    }

    async fn unsubscribe(&self, index: u32) {
        if let Err(error) = self.client.unsubscribe(self.shard.keys.inbox(index)).await {
            debug!(%error, "unsubscribing from a former inbox failed");
        }
    }

    /// A connection that is open and silent is heard again only over a new one.
    async fn heal(&self, index: u32) {
        warn!("this node is deaf: beats return and are not heard; connecting anew");
        match timeout(COMMAND_TIMEOUT, self.client.force_reconnection()).await {
            Ok(Ok(())) => self.subscribe(index).await,
            Ok(Err(error)) => warn!(%error, "connecting anew failed; the beat tries again"),
            Err(_) => warn!("connecting anew took too long; the beat tries again"),
        }
        self.resync();
    }

    fn lagged(&self, frames: u64) {
        warn!(frames, "frames were lost before they were read; repairing from the logs");
        self.resync();
    }

    fn hear(&self, message: &Message, index: u32, place: &mut Place) {
        if *message.channel != *self.shard.keys.inbox(index) {
            return;
        }
        let frame = match message.value.as_bytes().map(decode_frame) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => {
                error!(%error, "a frame cannot be read; repairing from the logs");
                return self.resync();
            }
            None => return self.resync(),
        };
        let is_missing = place.advance(&frame);
        if frame.beat != 0 {
            self.heard.send_replace(Heard { beat: frame.beat, at: Instant::now() });
        }
        self.end_tokens(frame.revoked);
        self.deliver(frame.arrivals);
        if is_missing {
            debug!(inbox.count = frame.count, "frames are missing; repairing from the logs");
            self.resync();
        }
    }

    fn end_tokens(&self, revoked: Vec<Revocation>) {
        for revocation in revoked {
            match self.arrivals.revoked.try_send(revocation) {
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => (),
                Err(mpsc::error::TrySendError::Full(_)) => {
                    warn!("many tokens are revoked at once; reading which");
                    self.resync();
                }
            }
        }
    }

    fn deliver(&self, arrivals: Vec<Arrival>) {
        let keepers = &self.arrivals.keepers;
        let mut mails: Vec<Vec<Arrival>> = vec![Vec::new(); keepers.len()];
        for arrival in arrivals {
            let hash = match &arrival {
                Arrival::Entry(entry) => Topic::Room(entry.room.clone()).hash64(),
                // Each keeper has some of the users whom news and presence concern.
                Arrival::Presence(_) | Arrival::Signal(_, Signal::News(_)) => {
                    mails.iter_mut().for_each(|mail| mail.push(arrival.clone()));
                    continue;
                }
                Arrival::Signal(topic, _) => topic.hash64(),
            };
            let keeper = usize::try_from(hash % keepers.len().max(1) as u64).unwrap_or_default();
            if let Some(mail) = mails.get_mut(keeper) {
                mail.push(arrival);
            }
        }
        for (keeper, mail) in keepers.iter().zip(mails) {
            if mail.is_empty() {
                continue;
            }
            match keeper.try_send(mail) {
                // A keeper that is gone belongs to a hub that has stopped.
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => (),
                Err(mpsc::error::TrySendError::Full(_)) => {
                    warn!("a keeper's mailbox is full; repairing from the logs");
                    self.resync();
                }
            }
        }
    }

    fn resync(&self) {
        self.arrivals.resync.send_modify(|times| *times += 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(frames: &[(u64, u64, u64)], missing: &[bool]) {
        let mut place = Place::default();
        let found: Vec<bool> = frames
            .iter()
            .map(|&(generation, count, beat)| {
                place.advance(&Frame {
                    generation,
                    count,
                    beat,
                    arrivals: Vec::new(),
                    revoked: Vec::new(),
                })
            })
            .collect();
        assert_eq!(found, missing, "{frames:?}");
    }

    #[test]
    fn a_hole_in_the_count_is_seen_with_the_next_frame_or_beat() {
        check(&[(1, 7, 0), (1, 8, 0), (1, 8, 5)], &[false, false, false]);
        check(&[(1, 7, 0), (1, 9, 0), (1, 10, 0)], &[false, true, false]);
        check(&[(1, 7, 1), (1, 8, 2), (1, 8, 3)], &[false, true, false]);
        check(&[(1, 7, 1), (2, 1, 0), (2, 2, 0)], &[false, true, false]);
        check(&[(1, 7, 1), (1, 1, 0)], &[false, true]);
    }
}
