//! Who hears what: topics, their keepers, outboxes, and who is connected here.
//!
//! [`Hub::attach`] is the one way to hear a topic: joining, resuming and catching up are the same
//! act. A listener names the place after which it goes on, pulls what it missed page by page, and
//! is live from there. One keeper task alone owns a topic, so there is no lock.

pub mod directory;
pub mod fanout;
pub mod outbox;
pub mod queue;
pub mod revocations;

mod cursor;
mod keeper;
mod metrics;
mod registrar;
mod roster;
mod tail;
mod typists;
mod waiting;
mod watched;

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use crate::dialect::{DialectSet, Dialects};
use crate::domain::id::ConnId;
use crate::domain::position::Position;
use crate::domain::receipt::Handed;
use crate::domain::revoked::Revocation;
use crate::domain::topic::Topic;
use crate::hub::directory::Directory;
use crate::hub::fanout::Listener;
use crate::hub::keeper::{Ask, Keeper, Mailbox};
use crate::hub::revocations::{Revocations, Watch};
pub use crate::hub::roster::ROSTER_USERS_MAX;
use crate::hub::watched::Attaching;
use crate::lifecycle::Lifecycle;
use crate::store::{Arrivals, Store, StoreError};

/// Batches of arrivals that may wait for a keeper. One that does not fit makes it compare heads.
const ARRIVALS_MAX: usize = 4096;

/// Revocations that may wait. One that does not fit is read again.
const REVOKED_MAX: usize = 1024;

/// Requests of sessions that may wait for a keeper; further ones wait at the session.
const ASKS_MAX: usize = 1024;

/// Reports of handed messages that may wait; one that does not fit is a receipt that is not told.
pub const HANDED_MAX: usize = 4096;

/// Cheap handle to topics, keepers and the directory of this node.
#[derive(Debug, Clone)]
pub struct Hub {
    keepers: Arc<[mpsc::Sender<Ask>]>,
    directory: Arc<Directory>,
    revocations: Arc<Revocations>,
}

/// The hub's ends of the channels through which the store tells what happened.
#[derive(Debug)]
pub struct Mailboxes {
    arrivals: Vec<mpsc::Receiver<Vec<crate::store::Arrival>>>,
    resync: watch::Receiver<u64>,
    revoked: mpsc::Receiver<Revocation>,
}

/// What this node serves now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LocalFigures {
    /// Open sessions of users.
    pub connections: u64,
    /// Rooms that a connection of this node has joined.
    pub rooms: u64,
    /// Users with an open session.
    pub users: u64,
}

/// A listener is taken; what it missed follows when it pulls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attached {
    /// The newest place; live events continue after it.
    pub position: Position,
    /// Whether the listener goes on from the place that it named.
    pub resumed: bool,
    /// How many entries follow before live ones.
    pub missed: u64,
    /// How many users are in the room as this node knows it, the listener's among them.
    pub members: u64,
}

/// How a listener is to hear its topic from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// In the words of these dialects.
    Dialects(DialectSet),
    /// The list of the room's users too, when it changes.
    Lists,
}

impl Change {
    fn apply(self, listener: &mut Listener) {
        match self {
            Self::Dialects(dialects) => listener.dialects = dialects,
            Self::Lists => listener.is_listing = true,
        }
    }
}

/// Why a listener was not taken.
#[derive(Debug, Clone)]
pub enum AttachError {
    /// There is no such room.
    NoSuchRoom,
    /// Redis could not be asked.
    Failed(StoreError),
    /// The node is ending.
    Ending,
}

/// How far a listener is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Pull again when the outbox has room.
    More,
    /// It hears everything from now on.
    Live,
    /// Redis could not be asked; pull again later.
    Later,
    /// It no longer listens there.
    Gone,
}

/// Makes the channels between the store and `keepers` keepers.
#[must_use]
pub fn mailboxes(keepers: usize) -> (Arrivals, Mailboxes) {
    let (senders, arrivals): (Vec<_>, Vec<_>) =
        (0..keepers).map(|_| mpsc::channel(ARRIVALS_MAX)).unzip();
    let (resync, heard) = watch::channel(0);
    let (ended, revoked) = mpsc::channel(REVOKED_MAX);
    (
        Arrivals { keepers: senders.into(), resync, revoked: ended },
        Mailboxes { arrivals, resync: heard, revoked },
    )
}

impl Hub {
    /// Starts the keepers and the registrar. `handed` is told what was handed to whom.
    #[must_use]
    pub fn start(
        mailboxes: Mailboxes,
        store: &Store,
        dialects: &Arc<Dialects>,
        handed: &mpsc::Sender<Handed>,
        lifecycle: &Lifecycle,
    ) -> Self {
        let directory = Arc::new(Directory::default());
        let mut keepers = Vec::new();
        for arrivals in mailboxes.arrivals {
            let (sender, asks) = mpsc::channel(ASKS_MAX);
            let mailbox = Mailbox { asks, arrivals, resync: mailboxes.resync.clone() };
            let keeper = Keeper::new(
                mailbox,
                store.clone(),
                Arc::clone(dialects),
                Arc::clone(&directory),
                handed.clone(),
            );
            lifecycle.spawn("keeper", keeper.run());
            keepers.push(sender);
        }
        lifecycle.spawn(
            "registrar",
            registrar::run(store.clone(), Arc::clone(&directory), lifecycle.clone()),
        );
        let revocations = Arc::new(Revocations::default());
        let watch = Watch::new(store.clone(), mailboxes.resync, Arc::clone(&revocations));
        lifecycle.spawn("revocations", watch.run(mailboxes.revoked));
        Self { keepers: keepers.into(), directory, revocations }
    }

    /// Takes a listener of a topic, in place of an earlier one of the same connection. It hears
    /// nothing yet: pull with [`Self::next`] until it is live.
    ///
    /// # Errors
    /// There is no such room, or Redis could not be asked.
    pub async fn attach(
        &self,
        topic: &Topic,
        listener: Listener,
        since: Option<Position>,
    ) -> Result<Attached, AttachError> {
        let (reply, answer) = oneshot::channel();
        let attaching = Attaching { listener, since, reply };
        let ask = Ask::Attach { topic: topic.clone(), attaching };
        if self.keeper(topic).send(ask).await.is_err() {
            return Err(AttachError::Ending);
        }
        answer.await.unwrap_or(Err(AttachError::Ending))
    }

    /// Puts the listener's next page into its outbox. Call it while the outbox is half empty.
    pub async fn next(&self, topic: &Topic, conn: ConnId) -> Progress {
        let (reply, answer) = oneshot::channel();
        let ask = Ask::Next { topic: topic.clone(), conn, reply };
        if self.keeper(topic).send(ask).await.is_err() {
            return Progress::Gone;
        }
        answer.await.unwrap_or(Progress::Gone)
    }

    /// The connection no longer listens there: nothing of the topic is put into its outbox behind
    /// what is put there after this.
    pub async fn detach(&self, topic: &Topic, conn: ConnId) {
        let (reply, done) = oneshot::channel();
        let ask = Ask::Detach { topic: topic.clone(), conn, reply };
        // A keeper that is gone has forgotten the listener already.
        if self.keeper(topic).send(ask).await.is_ok() {
            done.await.ok();
        }
    }

    /// The connection, if it listens there, hears the topic differently from now on.
    pub async fn change(&self, topic: &Topic, conn: ConnId, change: Change) {
        let ask = Ask::Change { topic: topic.clone(), conn, change };
        // A keeper that is gone tells nobody anything.
        self.keeper(topic).send(ask).await.ok();
    }

    /// Who is connected here.
    #[must_use]
    pub fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// What was taken back, and whose connections that ends.
    #[must_use]
    pub fn revocations(&self) -> &Arc<Revocations> {
        &self.revocations
    }

    /// What this node serves now.
    #[must_use]
    pub fn figures(&self) -> LocalFigures {
        self.directory.figures()
    }

    /// What this node serves now, told to whoever scrapes too.
    #[must_use]
    pub fn measure(&self) -> LocalFigures {
        let figures = self.figures();
        metrics::measured(figures.users, waiting::bytes());
        figures
    }

    fn keeper(&self, topic: &Topic) -> &mpsc::Sender<Ask> {
        &self.keepers[keeper_of(topic, self.keepers.len())]
    }
}

/// Which keeper owns a topic: the store sends arrivals by the same rule.
fn keeper_of(topic: &Topic, keepers: usize) -> usize {
    usize::try_from(topic.hash64() % keepers as u64).unwrap_or_default() // fits: below `keepers`
}
