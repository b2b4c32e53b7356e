//! Coming back: what a connection would leave behind is kept in Redis while it is open, and a
//! client that lost its connection takes up over a new one what the old one left.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{debug, warn};

use crate::domain::close::CloseReason;
use crate::domain::id::{RoomId, UserId};
use crate::domain::recovery::{KEPT_ROOMS_MAX, Kept, Offset, Pid, Resumption};
use crate::domain::refusal::Refusal;
use crate::domain::signal::Signal;
use crate::domain::topic::Topic;
use crate::session::Session;
use crate::session::peer::{Opening, Returning};
use crate::session::rooms::Rooms;
use crate::session::trail::Trail;
use crate::store::StoreError;
use crate::store::recovery::{KEPT_WHILE_OPEN, Keeping, Owner, Taken};

/// How long the node of an earlier connection has to end it: a living one needs milliseconds.
const HAND_OVER_MAX: Duration = Duration::from_secs(1);

/// Pauses between two looks at a record that is held grow from here …
const LOOK_AGAIN_MIN: Duration = Duration::from_millis(10);
/// … to here.
const LOOK_AGAIN_MAX: Duration = Duration::from_millis(100);

/// How long the gateway has to write what the session has said: longer than it gives itself.
const SETTLE_MAX: Duration = Duration::from_secs(4);

/// When a record that could not be written is written again.
const KEEP_AGAIN: Duration = Duration::from_secs(5);

/// The part of a session that outlives it.
#[derive(Debug)]
pub(super) struct Recovery {
    pid: Pid,
    owner: Owner,
    user: UserId,
    trail: Arc<Trail>,
    /// When the record in Redis is to be written again; `None`: there is none yet.
    due: Option<Instant>,
}

/// Resolves when what is kept has to be written again: for these rooms, which have caught up, or
/// because it is time.
pub(super) async fn due(recovery: Option<&Recovery>) -> Vec<RoomId> {
    let Some(recovery) = recovery else { return std::future::pending().await };
    let Some(due) = recovery.due else { return recovery.trail.confirmed().await };
    tokio::select! {
        confirmed = recovery.trail.confirmed() => confirmed,
        () = sleep_until(due) => Vec::new(),
    }
}

impl Session {
    /// Answers the CONNECT, where that is the session's to do, and welcomes its user.
    ///
    /// # Errors
    /// What the client had cannot be given back now; its CONNECT stays without an answer.
    pub(super) async fn begin(&mut self) -> Result<(), CloseReason> {
        self.welcome();
        let Some(opening) = self.peer.opening.take() else { return Ok(()) };
        let pid = match self.identity.as_ref().map(|it| it.actor.id().clone()) {
            Some(user) => Some(self.reopen(&opening, user).await?),
            None => None, // nobody knows yet whose connection it would be
        };
        opening.accept(pid);
        Ok(())
    }

    /// Takes up what the client had, if it had something; the name under which it may come back.
    async fn reopen(&mut self, opening: &Opening, user: UserId) -> Result<Pid, CloseReason> {
        let owner = Owner { node: *self.parts.store.life().borrow(), conn: self.peer.conn };
        let (pid, trail) = (Pid::random(), Arc::clone(&opening.trail));
        self.rooms.follow(Arc::clone(&trail));
        let mut recovery = Recovery { pid, owner, user, trail, due: None };
        if let Some(returning) = opening.returning {
            let restored = self.restore(&recovery, returning).await.map_err(|error| {
                debug!(%error, "a client could not be given back what it had");
                self.parts.metrics.recoveries_failed.increment(1);
                CloseReason::Unrestored
            });
            if restored? {
                (recovery.pid, recovery.due) = (returning.pid, Some(Instant::now()));
            }
        }
        let pid = recovery.pid;
        let is_restored = opening.returning.is_some_and(|it| it.pid == pid);
        self.peer.outbox.name(pid);
        self.recovery = Some(recovery);
        // Before anything is told over this connection: the next one has to know where it began.
        if is_restored && !self.keep().await {
            return Err(CloseReason::Unrestored);
        }
        Ok(pid)
    }

    /// `false`: there is nothing to give back.
    async fn restore(
        &mut self,
        recovery: &Recovery,
        Returning { pid, offset }: Returning,
    ) -> Result<bool, StoreError> {
        match self.take_over(recovery, pid).await? {
            Some(kept) if *kept.namespace == **self.peer.venue.name() => {
                self.take_rooms(&kept, offset).await?;
                let metrics = &self.parts.metrics;
                let is_exact = kept.written.is_some();
                let outcome =
                    if is_exact { &metrics.recoveries_exact } else { &metrics.recoveries_by_time };
                outcome.increment(1);
                Ok(true)
            }
            Some(_) | None => {
                self.parts.metrics.recoveries_none.increment(1);
                Ok(false)
            }
        }
    }

    /// Takes what an earlier connection left behind, once that one has ended.
    async fn take_over(
        &self,
        Recovery { owner, user, .. }: &Recovery,
        pid: Pid,
    ) -> Result<Option<Kept>, StoreError> {
        let store = &self.parts.store;
        let give_up = Instant::now() + HAND_OVER_MAX;
        let mut pause = LOOK_AGAIN_MIN;
        loop {
            let by_force = give_up <= Instant::now();
            match store.take_connection(pid, (*owner, user), by_force).await? {
                Taken::Nothing => return Ok(None),
                Taken::Kept(kept) => return Ok(Some(kept)),
                Taken::Held => {
                    if pause == LOOK_AGAIN_MIN {
                        store.signal(Topic::User(user.clone()), Signal::HandOver { pid });
                    }
                    sleep(pause).await;
                    pause = (pause * 2).min(LOOK_AGAIN_MAX);
                }
            }
        }
    }

    async fn take_rooms(&mut self, kept: &Kept, offset: Option<Offset>) -> Result<(), StoreError> {
        let parts = Arc::clone(&self.parts);
        for (room, resumption) in kept.rooms.iter().zip(kept.resumptions(offset)) {
            let place = match resumption {
                Resumption::After(place) => place,
                Resumption::By { earliest, time } => {
                    let heard = parts.store.before(&room.room, time).await?;
                    heard.map_or(earliest, |it| it.max(earliest))
                }
            };
            let dialect = parts.dialects.by_name(&room.dialect);
            if let Some(dialect) = dialect.filter(|it| parts.dialects.speaks(*it, &kept.namespace))
            {
                self.rooms.restore(room, dialect, place);
                self.used.insert(dialect);
            }
        }
        let named = |name: &String| parts.dialects.by_name(name);
        self.rooms.succeed(kept.origin, kept.lists.as_ref().and_then(named));
        if let Some(dialect) = kept.stats.as_ref().and_then(named) {
            // Any other refusal: an admin no more.
            if let Err(Refusal::Unavailable(_)) = self.watch_stats_again(dialect).await {
                return Err(StoreError::refused("the figures were not read".to_owned()));
            }
        }
        // What it used there it goes on using: it says nothing by which that could be seen.
        self.guard.speak(self.dialects());
        self.rooms.speak(self.dialects());
        self.rooms.list(kept.is_listed);
        Ok(())
    }

    /// Keeps what the connection would leave behind, if that has changed.
    pub(super) async fn keep_changes(&mut self) {
        if self.rooms.take_changed() {
            self.keep().await;
        }
    }

    /// The client has confirmed that these rooms have caught up, or it is time to keep all again.
    pub(super) async fn keep_confirmed(&mut self, rooms: &[RoomId]) {
        self.rooms.confirm(rooms);
        self.rooms.take_changed();
        self.keep().await;
    }

    /// `false`: it is not kept.
    async fn keep(&mut self) -> bool {
        let kept = self.kept();
        let Some(recovery) = &mut self.recovery else { return false };
        if kept.is_empty() && recovery.due.is_none() {
            return false;
        }
        let Recovery { pid, owner, user, .. } = recovery;
        let is_too_much = KEPT_ROOMS_MAX < kept.rooms.len();
        let keeping = if is_too_much { Keeping::Nothing } else { Keeping::Open(&kept) };
        let (is_kept, again) = match self
            .parts
            .store
            .keep_connection(*pid, (*owner, &*user), keeping)
            .await
        {
            Ok(true) => (true, KEPT_WHILE_OPEN / 2),
            Ok(false) => {
                self.peer.outbox.end(CloseReason::Replaced);
                (false, KEPT_WHILE_OPEN)
            }
            Err(error) => {
                debug!(%error, "what a connection would leave behind was not kept, trying again");
                (false, KEEP_AGAIN)
            }
        };
        recovery.due = Some(Instant::now() + again);
        is_kept
    }

    fn kept(&self) -> Kept {
        let (rooms, is_listed) = self.rooms.kept(&self.parts.dialects);
        let namespace = self.peer.venue.name().as_ref().to_owned();
        let name = |dialect| self.parts.dialects.get(dialect).name().to_string();
        Kept {
            namespace,
            origin: self.rooms.origin(),
            rooms,
            is_listed,
            lists: self.rooms.lists().map(name),
            stats: self.stats.as_ref().map(|it| name(it.dialect())),
            written: None,
        }
    }

    /// Leaves behind what the client needs to go on, once all that it is told here is written.
    pub(super) async fn leave_behind(mut self, reason: CloseReason) {
        let mut kept = self.kept();
        let none = Rooms::new(self.peer.conn, Arc::clone(self.parts.hub.directory()));
        // The user leaves the rooms now, whatever the gateway still has to write.
        drop(mem::replace(&mut self.rooms, none));
        let Some(Recovery { pid, owner, user, trail, due: Some(_) }) = self.recovery.take() else {
            return;
        };
        let is_settled = timeout(SETTLE_MAX, self.peer.outbox.settled()).await.is_ok();
        for room in &mut kept.rooms {
            room.place = trail.place(&room.room).unwrap_or(room.place);
        }
        kept.written = if is_settled { trail.written() } else { None };
        let metrics = &self.parts.metrics;
        if kept.written.is_none() {
            metrics.overflows_of_events.increment(1);
        }
        let keeping = if trail.has_left() || !may_return(reason) {
            Keeping::Nothing
        } else if KEPT_ROOMS_MAX < kept.rooms.len() {
            metrics.overflows_of_rooms.increment(1);
            Keeping::Nothing
        } else {
            Keeping::Over(&kept)
        };
        // `false`: the client has come back already, and its new connection knows what it has.
        if let Err(error) = self.parts.store.keep_connection(pid, (owner, &user), keeping).await {
            warn!(%error, "what a connection leaves behind was not kept");
        }
    }
}

/// Whether a connection that ended so may be taken up again.
fn may_return(reason: CloseReason) -> bool {
    match reason {
        CloseReason::Gone
        | CloseReason::HeartbeatMissed
        | CloseReason::TooSlow
        | CloseReason::Drain
        | CloseReason::TokenExpired
        | CloseReason::Replaced
        | CloseReason::Unrestored => true,
        CloseReason::AuthTimeout
        | CloseReason::Revoked
        | CloseReason::Dismissed
        | CloseReason::ProtocolViolation => false,
    }
}
