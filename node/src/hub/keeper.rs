//! The one owner of its share of the topics: it takes what arrives, answers sessions, and reads the
//! log where something is missing.
//!
//! Reads are futures that the keeper polls itself beside its mailboxes, so a slow Redis delays no
//! delivery, and nothing but this task ever touches a topic.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

use crate::dialect::Dialects;
use crate::domain::event::SharedEntry;
use crate::domain::id::{ConnId, NodeLife, RoomId, UserId};
use crate::domain::presence::{Presence, Shown};
use crate::domain::receipt::Handed;
use crate::domain::topic::Topic;
use crate::hub::directory::Directory;
use crate::hub::fanout::Voice;
use crate::hub::metrics::Metrics;
use crate::hub::watched::{Attaching, Next, Watched};
use crate::hub::{AttachError, Change, Progress};
use crate::store::{Arrival, Head, Joined, Page, Stamp, Store, StoreError};

mod arrivals;
mod lists;
mod upkeep;

/// How often typing that fell silent, receipts and departures are looked at.
const TICK: Duration = Duration::from_millis(250);

/// Entries and signals that may wait for the answer of a topic's join; the log has the others.
const EARLY_MAX: usize = 256;

/// What sessions ask.
#[derive(Debug)]
pub(crate) enum Ask {
    /// Begin to hear a topic.
    Attach { topic: Topic, attaching: Attaching },
    /// The next page, or to become live.
    Next { topic: Topic, conn: ConnId, reply: oneshot::Sender<Progress> },
    /// Hear a topic differently.
    Change { topic: Topic, conn: ConnId, change: Change },
    /// Stop hearing a topic.
    Detach { topic: Topic, conn: ConnId, reply: oneshot::Sender<()> },
}

/// From where a keeper hears.
#[derive(Debug)]
pub(crate) struct Mailbox {
    pub(crate) asks: mpsc::Receiver<Ask>,
    pub(crate) arrivals: mpsc::Receiver<Vec<Arrival>>,
    pub(crate) resync: watch::Receiver<u64>,
}

/// What a call to Redis came to.
enum Done {
    Joined(Topic, Result<Option<Joined>, StoreError>),
    Repaired(Topic, Result<Page, StoreError>),
    /// Whether the log leads on from the place that an attaching listener named.
    Judged(Topic, Attaching, Result<Page, StoreError>),
    /// A page for a member that is catching up.
    Read(Topic, ConnId, oneshot::Sender<Progress>, Result<Page, StoreError>),
    Heads(Vec<Topic>, Result<Vec<Option<Head>>, StoreError>),
    /// Who is in a room, read again because changes may have been missed; and the roster's moves
    /// when it was asked.
    Counted(Topic, u64, Result<Option<Joined>, StoreError>),
    Looked(Vec<(Topic, UserId)>, Result<Vec<Presence>, StoreError>),
    Listed(Result<Vec<Shown>, StoreError>),
    Answered(Result<(), StoreError>),
    Left(Result<(), StoreError>),
}

/// A topic whose join has not been answered yet.
#[derive(Debug)]
struct Joining {
    stamp: Stamp,
    waiting: Vec<Attaching>,
    early: Vec<Arrival>,
}

/// One keeper task.
pub(crate) struct Keeper {
    mailbox: Mailbox,
    store: Store,
    dialects: Arc<Dialects>,
    directory: Arc<Directory>,
    handed: mpsc::Sender<Handed>,
    metrics: Metrics,
    life: watch::Receiver<NodeLife>,
    stamp: Stamp,
    watched: HashMap<Topic, Watched>,
    joining: HashMap<Topic, Joining>,
    calls: FuturesUnordered<BoxFuture<'static, Done>>,
    /// In which topics a user's changes concern somebody.
    seen: HashMap<UserId, HashSet<Topic>>,
    upkeep: upkeep::Upkeep,
}

impl Keeper {
    pub(crate) fn new(
        mailbox: Mailbox,
        store: Store,
        dialects: Arc<Dialects>,
        directory: Arc<Directory>,
        handed: mpsc::Sender<Handed>,
    ) -> Self {
        let life = store.life();
        Self {
            mailbox,
            store,
            dialects,
            directory,
            handed,
            metrics: Metrics::new(),
            life,
            stamp: Stamp(0),
            watched: HashMap::new(),
            joining: HashMap::new(),
            calls: FuturesUnordered::new(),
            seen: HashMap::new(),
            upkeep: upkeep::Upkeep::default(),
        }
    }

    /// Runs until the hub is gone.
    pub(crate) async fn run(mut self) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased; // what is heard first, then what was read, then what is asked
                Ok(()) = self.mailbox.resync.changed() => self.resync_now(),
                Ok(()) = self.life.changed() => self.reassert_all(),
                Some(batch) = self.mailbox.arrivals.recv() => self.arrived(batch),
                Some(done) = self.calls.next() => self.done(done),
                ask = self.mailbox.asks.recv() => match ask {
                    Some(ask) => self.asked(ask),
                    None => return,
                },
                _ = tick.tick() => self.tick(),
            }
        }
    }

    fn asked(&mut self, ask: Ask) {
        match ask {
            Ask::Attach { topic, attaching } => self.attach(topic, attaching),
            Ask::Next { topic, conn, reply } => self.next(topic, conn, reply),
            Ask::Change { topic, conn, change } => {
                let joining = self.joining.get_mut(&topic).map(|it| it.waiting.iter_mut());
                for waiting in joining.into_iter().flatten() {
                    if waiting.listener.conn == conn {
                        change.apply(&mut waiting.listener);
                    }
                }
                if let Some(watched) = self.watched.get_mut(&topic) {
                    watched.change(conn, change);
                }
            }
            Ask::Detach { topic, conn, reply } => {
                if let Some(joining) = self.joining.get_mut(&topic) {
                    joining.waiting.retain(|it| it.listener.conn != conn);
                }
                if let Some(watched) = self.watched.get_mut(&topic) {
                    watched.detach(conn);
                    self.upkeep.emptied(&topic);
                }
                // An error: nobody waits for it.
                reply.send(()).ok();
            }
        }
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Joined(topic, result) => self.joined(&topic, result),
            Done::Repaired(topic, result) => self.repaired(&topic, result),
            Done::Judged(topic, attaching, result) => self.judged(&topic, attaching, result),
            Done::Read(topic, conn, reply, result) => self.read(topic, conn, reply, result),
            Done::Heads(topics, result) => self.heads(&topics, result),
            Done::Counted(topic, moves, result) => self.counted(&topic, moves, result),
            Done::Looked(asked, result) => self.looked(asked, result),
            Done::Listed(result) => self.listed(result),
            Done::Answered(result) => {
                if let Err(error) = result {
                    tracing::debug!(%error, "a user's connections are not told to who asked");
                }
            }
            Done::Left(result) => {
                if let Err(error) = result {
                    tracing::debug!(%error, "a topic could not be left, its frames will say so");
                }
            }
        }
    }

    fn attach(&mut self, topic: Topic, attaching: Attaching) {
        if let Some(watched) = self.watched.get_mut(&topic) {
            let Some(since) = attaching.since else {
                let attached = watched.attach(attaching.listener, None, Vec::new());
                attaching.reply.send(Ok(attached)).ok();
                return;
            };
            if watched.tail.after(since).is_some() {
                self.resumed(&topic, attaching, Vec::new());
                return;
            }
            if let Topic::Room(room) = &topic {
                let (store, room) = (self.store.clone(), room.clone());
                self.calls.push(Box::pin(async move {
                    let page = store.history(&room, since).await;
                    Done::Judged(topic, attaching, page)
                }));
            } else {
                self.afresh(&topic, attaching);
            }
            return;
        }
        if let Some(joining) = self.joining.get_mut(&topic) {
            joining.waiting.push(attaching);
            return;
        }
        self.join(topic, attaching);
    }

    fn join(&mut self, topic: Topic, attaching: Attaching) {
        let stamp = self.next_stamp();
        let joining = Joining { stamp, waiting: vec![attaching], early: Vec::new() };
        self.joining.insert(topic.clone(), joining);
        let store = self.store.clone();
        self.calls.push(Box::pin(async move {
            let joined = store.join(&topic, stamp).await;
            Done::Joined(topic, joined)
        }));
    }

    fn judged(&mut self, topic: &Topic, attaching: Attaching, result: Result<Page, StoreError>) {
        match result {
            Ok(Page::After(entries)) => self.resumed(topic, attaching, entries),
            Ok(Page::Reset { .. }) => self.afresh(topic, attaching),
            Err(error) => {
                attaching.reply.send(Err(AttachError::Failed(error))).ok();
            }
        }
    }

    /// The listener's place is in the log.
    fn resumed(&mut self, topic: &Topic, attaching: Attaching, pending: Vec<SharedEntry>) {
        let Some(watched) = self.watched.get_mut(topic) else { return };
        let is_listing = attaching.listener.is_listing;
        let attached = watched.attach(attaching.listener, attaching.since, pending);
        // It may have missed how the list has changed.
        if matches!(topic, Topic::Room(room) if *room == RoomId::lobby()) {
            self.upkeep.listed();
        } else if is_listing {
            self.upkeep.room_listed(topic, watched.list_told);
        }
        let counter = if attached.resumed {
            &self.metrics.resumes_whole
        } else {
            &self.metrics.resumes_reset
        };
        counter.increment(1);
        attaching.reply.send(Ok(attached)).ok();
    }

    /// The log no longer leads on from the listener's place.
    fn afresh(&mut self, topic: &Topic, attaching: Attaching) {
        let Some(watched) = self.watched.get_mut(topic) else { return };
        self.metrics.resumes_reset.increment(1);
        let attached = watched.attach(attaching.listener, None, Vec::new());
        attaching.reply.send(Ok(attached)).ok();
    }

    fn next(&mut self, topic: Topic, conn: ConnId, reply: oneshot::Sender<Progress>) {
        let voice = voice(&self.dialects, &self.life, &self.metrics);
        let Some(watched) = self.watched.get_mut(&topic) else {
            reply.send(Progress::Gone).ok();
            return;
        };
        match watched.next(conn, &topic, &voice) {
            Next::Answer(progress) => {
                self.upkeep.handed(&topic);
                reply.send(progress).ok();
            }
            Next::Read(after) => {
                let Topic::Room(room) = topic.clone() else {
                    reply.send(Progress::Live).ok();
                    return;
                };
                let store = self.store.clone();
                self.calls.push(Box::pin(async move {
                    let page = store.history(&room, after).await;
                    Done::Read(topic, conn, reply, page)
                }));
            }
        }
    }

    fn read(
        &mut self,
        topic: Topic,
        conn: ConnId,
        reply: oneshot::Sender<Progress>,
        result: Result<Page, StoreError>,
    ) {
        let voice = voice(&self.dialects, &self.life, &self.metrics);
        let Some(watched) = self.watched.get_mut(&topic) else {
            reply.send(Progress::Gone).ok();
            return;
        };
        match (result, &topic) {
            // The log has nothing more, though this node's tail is behind it: live from there.
            (Ok(Page::After(entries)), _) => watched.read(conn, entries),
            (Ok(Page::Reset { .. }), Topic::Room(room)) => {
                watched.reset_member(conn, room, &voice);
            }
            (Ok(Page::Reset { .. }), Topic::User(_)) => (),
            (Err(error), _) => {
                tracing::debug!(%error, "a page for a returning client could not be read");
                reply.send(Progress::Later).ok();
                return;
            }
        }
        self.next(topic, conn, reply);
    }

    fn next_stamp(&mut self) -> Stamp {
        self.stamp = Stamp(self.stamp.0 + 1);
        self.stamp
    }
}

fn voice<'a>(
    dialects: &'a Dialects,
    life: &watch::Receiver<NodeLife>,
    metrics: &'a Metrics,
) -> Voice<'a> {
    Voice { dialects, life: *life.borrow(), metrics }
}
