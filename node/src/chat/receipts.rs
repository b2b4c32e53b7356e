//! Delivered and read: marks in Redis, and what authors are told when a mark moves.
//!
//! Marks are gathered for a quarter of a second per room and user, so whoever scrolls through a
//! hundred messages writes one mark. A receipt is a signal: a crash may lose it, never double it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tracing::debug;

use crate::domain::event::SharedEntry;
use crate::domain::id::{MessageId, RoomId, UserId};
use crate::domain::position::Position;
use crate::domain::receipt::{Handed, RECEIPT_MESSAGES_MAX};
use crate::domain::signal::Signal;
use crate::domain::topic::Topic;
use crate::lifecycle::Lifecycle;
use crate::store::{Crossed, Mark, Store, StoreError};

/// How long marks are gathered.
const GATHER: Duration = Duration::from_millis(250);

/// Read marks that may wait for the task; a client is told to try again beyond them.
const READS_MAX: usize = 4096;

/// Rooms and users whose marks may be gathered at once; further ones wait in the channel.
const GATHERED_MAX: usize = 4096;

/// Marks that are written at the same time.
const WRITES_AT_ONCE: usize = 32;

/// A user has read a room up to a place.
#[derive(Debug)]
pub(super) struct ReadMark {
    pub(super) room: RoomId,
    pub(super) user: UserId,
    pub(super) to: Position,
}

/// Starts the task.
pub(super) fn start(
    store: Store,
    handed: mpsc::Receiver<Handed>,
    lifecycle: &Lifecycle,
) -> mpsc::Sender<ReadMark> {
    let (sender, reads) = mpsc::channel(READS_MAX);
    let gathered = Gathered { store, reads: HashMap::new(), handed: HashMap::new() };
    lifecycle.spawn("receipts", gathered.run(reads, handed));
    sender
}

struct Gathered {
    store: Store,
    reads: HashMap<(RoomId, UserId), Position>,
    handed: HashMap<RoomId, Vec<(Position, UserId)>>,
}

impl Gathered {
    async fn run(
        mut self,
        mut reads: mpsc::Receiver<ReadMark>,
        mut handed: mpsc::Receiver<Handed>,
    ) {
        let mut tick = tokio::time::interval(GATHER);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                read = reads.recv(), if self.reads.len() < GATHERED_MAX => match read {
                    Some(read) => self.read(read),
                    None => return,
                },
                Some(handed) = handed.recv(), if self.handed.len() < GATHERED_MAX => {
                    self.handed(handed);
                }
                _ = tick.tick() => self.write().await,
            }
        }
    }

    fn read(&mut self, mark: ReadMark) {
        let to = self.reads.entry((mark.room, mark.user)).or_insert(mark.to);
        *to = mark.to.max(*to);
    }

    fn handed(&mut self, handed: Handed) {
        let messages = self.handed.entry(handed.room).or_default();
        messages.extend(handed.messages);
        messages.sort_unstable();
        messages.dedup();
        let surplus = messages.len().saturating_sub(RECEIPT_MESSAGES_MAX);
        messages.drain(..surplus);
    }

    async fn write(&mut self) {
        let store = &self.store;
        let reads = stream::iter(self.reads.drain());
        reads
            .for_each_concurrent(WRITES_AT_ONCE, |((room, user), to)| async move {
                if let Err(error) = read(store, &room, &user, to).await {
                    debug!(%error, %room, "a read mark was not written");
                }
            })
            .await;
        let handed = stream::iter(self.handed.drain());
        handed
            .for_each_concurrent(WRITES_AT_ONCE, |(room, messages)| async move {
                if let Err(error) = delivered(store, &room, messages).await {
                    debug!(%error, %room, "a delivery mark was not written");
                }
            })
            .await;
    }
}

/// Moves a user's read mark and tells each author which messages it crossed.
pub(super) async fn read(
    store: &Store,
    room: &RoomId,
    reader: &UserId,
    to: Position,
) -> Result<(), StoreError> {
    let entries = store.newest(room, to, RECEIPT_MESSAGES_MAX).await?;
    // A place that the log does not have would move the mark beyond every message to come.
    if entries.last().is_none_or(|it| it.position != to) {
        return Ok(());
    }
    let Some(crossed) = store.mark(room, reader, Mark::Read, to).await? else { return Ok(()) };
    let messages = entries.iter().filter_map(|entry| Some((entry.position, author(entry)?)));
    for (author, messages) in by_author(room, crossed, messages) {
        if author != *reader {
            let signal = Signal::Read { reader: reader.clone(), messages };
            store.signal(Topic::User(author), signal);
        }
    }
    Ok(())
}

/// Moves a room's delivery mark and tells each author which messages it crossed.
async fn delivered(
    store: &Store,
    room: &RoomId,
    messages: Vec<(Position, UserId)>,
) -> Result<(), StoreError> {
    let Some((to, author)) = messages.last().cloned() else { return Ok(()) };
    let crossed = store.mark(room, &author, Mark::Delivered, to).await?;
    let Some(crossed) = crossed else { return Ok(()) };
    for (author, messages) in by_author(room, crossed, messages.into_iter()) {
        store.signal(Topic::User(author), Signal::Delivered { messages });
    }
    Ok(())
}

fn author(entry: &SharedEntry) -> Option<UserId> {
    entry.event.message().map(|message| message.sender.id.clone())
}

/// The messages that the mark crossed, by author, oldest first.
fn by_author(
    room: &RoomId,
    crossed: Crossed,
    messages: impl Iterator<Item = (Position, UserId)>,
) -> BTreeMap<UserId, Vec<MessageId>> {
    let mut crossed_by_author: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (position, author) in messages {
        if crossed.from < position && position <= crossed.to {
            crossed_by_author.entry(author).or_default().push(MessageId::new(room, position));
        }
    }
    crossed_by_author
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authors_are_told_only_what_the_mark_crossed() {
        let (ann, bob) = (UserId::parse("ann").unwrap(), UserId::parse("bob").unwrap());
        let room = RoomId::parse("r").unwrap();
        let at = |seq| Position::new(1, seq);
        let messages = [(at(1), &ann), (at(2), &bob), (at(3), &ann), (at(4), &ann)];
        let crossed = Crossed { from: at(1), to: at(3) };
        let told = by_author(&room, crossed, messages.map(|(at, it)| (at, it.clone())).into_iter());
        let id = |seq| MessageId::new(&room, at(seq));
        assert_eq!(told, BTreeMap::from([(ann, vec![id(3)]), (bob, vec![id(2)])]));
    }
}
