//! Tokens that were taken back, users who were banned, and the connections of this node that it
//! concerns.
//!
//! Every node knows all of them, so nobody asks Redis when somebody connects. What was taken back
//! arrives like everything else, and after a loss of frames it is read again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tracing::{debug, info};

use crate::clock;
use crate::domain::close::CloseReason;
use crate::domain::id::{ConnId, NodeLife, UserId};
use crate::domain::revoked::{Pass, Revocation, Revoked};
use crate::domain::time::Timestamp;
use crate::hub::outbox::Outbox;
use crate::store::{Store, StoreError};

/// How often what was taken back is read again, whatever was heard.
const READ_EVERY: Duration = Duration::from_secs(60);

/// Pause before reading again what could not be read.
const READ_PAUSE: Duration = Duration::from_millis(500);

/// What was taken back, and who holds what may be.
#[derive(Debug, Default)]
pub struct Revocations {
    state: Mutex<State>,
    known: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    revoked: HashMap<Revoked, Timestamp>,
    holders: HashMap<Revoked, HashMap<ConnId, (Pass, Outbox)>>,
}

/// A connection that is ended when its token is taken back; until this is dropped.
#[derive(Debug)]
pub struct Hold {
    revocations: Arc<Revocations>,
    conn: ConnId,
    pass: Pass,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut state = self.revocations.lock();
        for subject in self.pass.subjects() {
            if let Some(holders) = state.holders.get_mut(&subject) {
                holders.remove(&self.conn);
                if holders.is_empty() {
                    state.holders.remove(&subject);
                }
            }
        }
    }
}

impl Revocations {
    /// Whether the token was taken back.
    #[must_use]
    pub fn ends(&self, pass: &Pass) -> bool {
        self.lock().ends(pass)
    }

    /// Dismisses the connection's outbox as soon as the token is taken back, at once if it was. A
    /// connection holds one token: drop the former hold first.
    #[must_use]
    pub fn hold(self: &Arc<Self>, conn: ConnId, pass: Pass, outbox: &Outbox) -> Hold {
        let mut state = self.lock();
        if state.ends(&pass) {
            outbox.end(CloseReason::Revoked);
        }
        for subject in pass.subjects() {
            let holders = state.holders.entry(subject).or_default();
            holders.insert(conn, (pass.clone(), outbox.clone()));
        }
        drop(state);
        Hold { revocations: Arc::clone(self), conn, pass }
    }

    /// Resolves when all that was taken back before the node started is known.
    pub async fn known(&self) {
        // Fails only without a sender, and `self` is it.
        self.known.subscribe().wait_for(|it| *it).await.ok();
    }

    fn take(&self, Revocation { what, at }: Revocation) {
        let mut state = self.lock();
        let last = state.revoked.entry(what.clone()).or_insert(Timestamp(0));
        if at <= *last {
            return; // known already
        }
        *last = at;
        if let Revoked::Leave(user) = what {
            return state.review(&user);
        }
        let Some(holders) = state.holders.get(&what) else { return };
        let mut ended = 0;
        #[expect(clippy::iter_over_hash_type, reason = "each connection is treated alike")]
        for (pass, outbox) in holders.values() {
            if pass.is_ended_by(&what, at) {
                outbox.end(CloseReason::Revoked);
                ended += 1;
            }
        }
        info!(connections = ended, "connections are ended: their tokens were revoked");
    }

    /// Forgets what was taken back before `until`: no such token lives.
    fn forget(&self, until: Timestamp) {
        self.lock().revoked.retain(|_, at| until < *at);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every method leaves the state whole before it could panic, so a poisoned lock is usable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Has the user's connections ask whether the user may be here.
    fn review(&self, user: &UserId) {
        let Some(holders) = self.holders.get(&Revoked::User(user.clone())) else { return };
        #[expect(clippy::iter_over_hash_type, reason = "each connection is treated alike")]
        for (_, outbox) in holders.values() {
            outbox.review();
        }
    }

    fn ends(&self, pass: &Pass) -> bool {
        pass.subjects().any(|subject| {
            self.revoked.get(&subject).is_some_and(|at| pass.is_ended_by(&subject, *at))
        })
    }
}

/// Keeps [`Revocations`] true.
pub(crate) struct Watch {
    store: Store,
    resync: watch::Receiver<u64>,
    life: watch::Receiver<NodeLife>,
    revocations: Arc<Revocations>,
    /// Everything up to here was read. What was heard does not count: some before it may be lost.
    read_to: Timestamp,
    due: Instant,
    reading: FuturesUnordered<BoxFuture<'static, Result<Vec<Revocation>, StoreError>>>,
}

impl Watch {
    pub(crate) fn new(
        store: Store,
        resync: watch::Receiver<u64>,
        revocations: Arc<Revocations>,
    ) -> Self {
        let life = store.life();
        let (read_to, due) = (Timestamp(0), Instant::now());
        Self { store, resync, life, revocations, read_to, due, reading: FuturesUnordered::new() }
    }

    /// Runs until the store is gone.
    pub(crate) async fn run(mut self, mut heard: mpsc::Receiver<Revocation>) {
        loop {
            tokio::select! {
                biased; // what is new first
                revocation = heard.recv() => match revocation {
                    Some(revocation) => self.revocations.take(revocation),
                    None => return,
                },
                Ok(()) = self.life.changed() => self.begin_anew(),
                Ok(()) = self.resync.changed() => self.due = Instant::now(),
                Some(page) = self.reading.next() => self.read(page),
                () = sleep_until(self.due), if self.reading.is_empty() => self.begin(),
            }
        }
    }

    /// Redis may have lost the newest, and count from an earlier time again.
    fn begin_anew(&mut self) {
        self.reading.clear();
        (self.read_to, self.due) = (Timestamp(0), Instant::now());
    }

    fn begin(&mut self) {
        let kept_ms = u64::try_from(self.store.revoked_for().as_millis()).unwrap_or(u64::MAX);
        self.revocations.forget(Timestamp(clock::now().0.saturating_sub(kept_ms)));
        // Before the answer: what asks for another reading meanwhile gets it.
        self.due = Instant::now() + READ_EVERY;
        let (store, since) = (self.store.clone(), self.read_to);
        self.reading.push(Box::pin(async move { store.revocations(since).await }));
    }

    fn read(&mut self, page: Result<Vec<Revocation>, StoreError>) {
        let pause = match page {
            Ok(page) if page.is_empty() => {
                self.revocations.known.send_replace(true);
                return;
            }
            Ok(page) => {
                for revocation in page {
                    self.read_to = self.read_to.max(revocation.at);
                    self.revocations.take(revocation);
                }
                Duration::ZERO
            }
            Err(error) => {
                debug!(%error, "what was revoked could not be read, trying again");
                READ_PAUSE
            }
        };
        self.due = self.due.min(Instant::now() + pause);
    }
}
