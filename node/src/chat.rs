//! What clients ask, decided: who may come in, what is stored, how often.
//!
//! The chat core tells Redis and nobody else: whoever hears of it hears it from Redis, like on
//! every other node. Refusals carry codes; dialects spell them.

pub mod access_hook;

mod files;
mod moderation;
mod news;
mod posts;
mod quotas;
mod receipts;
mod records;
mod rooms;
mod stats;
mod typing;
mod views;

use std::time::Duration;

use serde::Deserialize;
use tokio::sync::{Semaphore, mpsc, watch};
use tracing::{debug, info};

use crate::blobs::Blobs;
use crate::chat::access_hook::AccessHook;
pub use crate::chat::posts::Post;
use crate::chat::quotas::Quotas;
use crate::chat::receipts::ReadMark;
pub use crate::chat::rooms::Admitted;
pub use crate::chat::stats::EVERY as STATS_EVERY;
use crate::chat::typing::Typing;
use crate::clock;
use crate::domain::command::Draft;
use crate::domain::event::{Event, Origin};
use crate::domain::id::{ConnId, MessageId, RoomId, UserId};
use crate::domain::message::Message;
use crate::domain::news::Happened;
use crate::domain::presence::Status;
use crate::domain::quota::Limit;
use crate::domain::receipt::Handed;
use crate::domain::refusal::{Outcome, Refusal};
use crate::domain::reply::Reply;
use crate::domain::revoked::Revoked;
use crate::domain::role::{Actor, Role};
use crate::domain::room::{NewRoom, Reserved, RoomCard, RoomPolicy};
use crate::domain::signal::Signal;
use crate::domain::stats::Stats;
use crate::domain::topic::Topic;
use crate::domain::trace::TraceParent;
use crate::lifecycle::Lifecycle;
use crate::store::{Append, AppendError, Appended, Store, StoreError};
use crate::telemetry::audit::{Kept, Place};

/// `rooms`: what happens to rooms that nobody has made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `members`: only rooms that exist or that a token grants; `open`: a first join makes a room.
    pub policy: RoomPolicy,
}

/// The chat core. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Chat {
    store: Store,
    policy: RoomPolicy,
    hook: AccessHook,
    blobs: Blobs,
    unsettled: std::sync::Arc<Semaphore>,
    lifecycle: Lifecycle,
    quotas: std::sync::Arc<Quotas>,
    reads: mpsc::Sender<ReadMark>,
    news: mpsc::Sender<news::Item>,
    typing: Typing,
    stats: watch::Sender<Stats>,
}

/// Rooms that one user may make: they stay until somebody deletes them.
const ROOMS_MADE: Limit = Limit { times: 10, per: Duration::from_secs(60) };

/// Who asks, on which connection, and how often the user may.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// Who.
    pub actor: &'a Actor,
    /// On which connection, or the first of those that it took up.
    pub origin: ConnId,
    /// Whether the user is connected to other nodes too.
    pub is_spread: bool,
    /// The limit that the command counts against; `None`: none.
    pub limit: Option<Limit>,
    /// The dialect's own id of the request, for the asker's copy of what comes of it.
    pub request: Option<&'a str>,
    /// The trace of what is asked, if it is kept.
    pub trace: Option<TraceParent>,
}

impl Chat {
    /// Starts the tasks of the core; `handed` tells that of receipts what was handed to live
    /// connections. `hook` has the last say about who may come in.
    #[must_use]
    pub fn start(
        (config, hook): (Config, AccessHook),
        (store, blobs): (&Store, &Blobs),
        handed: mpsc::Receiver<Handed>,
        lifecycle: &Lifecycle,
    ) -> Self {
        let reads = receipts::start(store.clone(), handed, lifecycle);
        let quotas = std::sync::Arc::new(Quotas::default());
        Self {
            store: store.clone(),
            policy: config.policy,
            hook,
            blobs: blobs.clone(),
            unsettled: files::places(),
            lifecycle: lifecycle.clone(),
            quotas,
            reads,
            news: news::start(store.clone(), lifecycle),
            typing: Typing::start(store, lifecycle),
            stats: stats::start(store.clone(), lifecycle),
        }
    }

    /// Lets the actor into the room, and tells what it is. Under the open policy, with a grant in
    /// the token, or where the application says so, an unknown room is made.
    ///
    /// # Errors
    /// Denied, no such room, or Redis could not be asked.
    pub async fn admit(&self, actor: &Actor, room: &RoomId) -> Result<Admitted, Refusal> {
        rooms::admit(&self.store, (self.policy, &self.hook), actor, room).await
    }

    /// What is told of a room; of one that nobody has described, its id.
    ///
    /// # Errors
    /// No such room, or Redis could not be asked.
    pub async fn room(&self, room: &RoomId) -> Result<RoomCard, Refusal> {
        let record = self.store.room(room).await.map_err(unavailable)?;
        record.map(|it| it.room.card(room)).ok_or(Refusal::RoomNotFound)
    }

    /// Makes a room with an id of its own, in which the asker is a member.
    ///
    /// # Errors
    /// Too often, or Redis could not be asked.
    pub async fn create_room(&self, asker: Asker<'_>, new: NewRoom) -> Result<Reply, Refusal> {
        let asker = Asker { limit: Some(ROOMS_MADE), ..asker };
        self.quotas.take(&self.store, asker, "rooms").await?;
        let room = rooms::create(&self.store, asker.actor, new).await?;
        let at = self.created_at(&room.id).await?;
        Ok(Reply::Created { room, at })
    }

    /// Stores a message of a room that the connection has joined, its files first.
    ///
    /// # Errors
    /// Too often, a reserved or closed room, files that are not taken, a full store, or Redis or the
    /// store of files could not be asked: then the outcome says whether a retry with the same
    /// `clientMessageId` is needed.
    pub async fn send(&self, asker: Asker<'_>, draft: Draft) -> Result<Reply, Refusal> {
        rooms::may_send(asker.actor, &draft.room)?;
        self.quotas.take(&self.store, asker, "messages").await?;
        let sender = asker.actor.participant.clone();
        let append = Append {
            room: draft.room.clone(),
            sender: Some(sender.id.clone()),
            client_message_id: draft.client_message_id.clone(),
            origin: Some((asker.origin, asker.request.map(str::to_owned))),
            trace: asker.trace,
            event: Event::MessagePosted(Message {
                sender,
                text: draft.text,
                kind: draft.kind,
                client_message_id: draft.client_message_id,
                attachments: Vec::new(),
            }),
            redacts: None,
        };
        let appended = self.append_with(draft.uploads, append).await?;
        let Appended { position, at, duplicate, .. } = appended;
        let repeated = if duplicate && asker.request.is_some() {
            self.store.entry(&draft.room, position).await.map_err(unavailable)?
        } else {
            None
        };
        let message = MessageId::new(&draft.room, position);
        Ok(Reply::Sent { message, room: draft.room, position, at, repeated })
    }

    /// The cluster's figures; whoever watches them is told, too.
    ///
    /// # Errors
    /// The actor is no admin, or Redis could not be asked.
    pub async fn stats(&self, actor: &Actor) -> Result<Stats, Refusal> {
        if actor.participant.role != Role::Admin {
            return Err(Refusal::AccessDenied);
        }
        let stats = self.store.stats().await.map_err(unavailable)?;
        self.stats.send_if_modified(|it| std::mem::replace(it, stats) != stats);
        Ok(stats)
    }

    /// The cluster's figures from now on, as they change; for those whom [`Self::stats`] answered.
    #[must_use]
    pub fn watch_stats(&self) -> watch::Receiver<Stats> {
        self.stats.subscribe()
    }

    /// Closes a room that the connection has joined: nobody can write into it any more.
    ///
    /// # Errors
    /// A reserved room, one that is closed already, or Redis could not be asked.
    pub async fn close(
        &self,
        asker: Asker<'_>,
        room: RoomId,
        reason: Option<String>,
    ) -> Result<Reply, Refusal> {
        rooms::may_send(asker.actor, &room)?;
        let by = asker.actor.participant.clone();
        let append = Append {
            room: room.clone(),
            sender: Some(by.id.clone()),
            client_message_id: None,
            origin: Some((asker.origin, None)),
            trace: asker.trace,
            event: Event::RoomClosed { by: Some(by), reason },
            redacts: None,
        };
        self.append(append).await?;
        Ok(Reply::Closed { room })
    }

    async fn append(&self, append: Append) -> Result<Appended, Refusal> {
        let news = match &append.event {
            Event::MessagePosted(_) => Some(Happened::Posted),
            Event::RoomClosed { .. } => Some(Happened::Closed),
            Event::MessageEdited { .. }
            | Event::MessageDeleted { .. }
            | Event::RoomUpdated { .. }
            | Event::RoomReopened
            | Event::RoomDeleted
            | Event::AccessChanged { .. }
            | Event::Erased => None,
        };
        // A reserved room has no members.
        let news = news.filter(|_| Reserved::of(&append.room).is_none());
        let room = append.room.clone();
        match self.store.append(append).await {
            Ok(appended) => {
                if let (Some(what), false) = (news, appended.duplicate) {
                    // News that does not fit is a list that members look at later.
                    self.news.try_send(news::Item { room, what, at: appended.at }).ok();
                }
                Ok(appended)
            }
            Err(AppendError::Refused(refusal)) => Err(refusal),
            Err(AppendError::Missing) => Err(Refusal::invalid("there is no such message any more")),
            Err(AppendError::Failed(error)) => {
                debug!(%error, outcome = error.outcome.as_str(), "an event was not stored");
                Err(Refusal::Unavailable(error.outcome))
            }
        }
    }

    /// Moves the user's read mark of a joined room. Marks are written a few times a second, so the
    /// answer does not wait for it; a mark that is lost is a receipt that is lost.
    ///
    /// # Errors
    /// Too many marks wait.
    pub fn mark_read(
        &self,
        actor: &Actor,
        room: &RoomId,
        message: MessageId,
    ) -> Result<Reply, Refusal> {
        let mark =
            ReadMark { room: room.clone(), user: actor.id().clone(), to: message.position() };
        match self.reads.try_send(mark) {
            Ok(()) => Ok(Reply::Marked),
            Err(_full) => Err(Refusal::Busy { retry_after: Duration::from_secs(1) }),
        }
    }

    /// Tells a joined room that the user types, or has stopped.
    pub fn tell_typing(&self, asker: Asker<'_>, room: &RoomId, active: bool) {
        let node = *self.store.life().borrow();
        let origin = Origin { node, conn: asker.origin, request: None, trace: None };
        let user = asker.actor.participant.clone();
        self.typing.tell(room.clone(), user, origin, active);
    }

    /// Sets what the user is seen as.
    ///
    /// # Errors
    /// Too often, or Redis could not be asked.
    pub async fn set_status(&self, asker: Asker<'_>, status: Status) -> Result<Reply, Refusal> {
        self.quotas.take(&self.store, asker, "statuses").await?;
        self.store.set_status(asker.actor.id(), status).await.map_err(unavailable)?;
        let user = asker.actor.participant.clone();
        Ok(Reply::StatusSet { status, user, at: clock::now() })
    }

    /// Takes a sign that the user is still there. Nobody is gone for want of it, but it counts
    /// among the status changes.
    ///
    /// # Errors
    /// Too often.
    pub async fn renew(&self, asker: Asker<'_>) -> Result<Reply, Refusal> {
        self.quotas.take(&self.store, asker, "statuses").await?;
        Ok(Reply::Renewed)
    }

    /// Takes back a token, or all tokens of a user that were issued up to now: they let nobody in
    /// any more, and their connections end, on every node, also on those that hear of it late.
    ///
    /// # Errors
    /// Too many are remembered already, or Redis could not be asked; doing it again is harmless.
    pub async fn revoke(&self, what: Revoked) -> Result<(), Refusal> {
        let revoked = self.store.revoke(&what).await.map_err(|error| {
            debug!(%error, outcome = error.outcome.as_str(), "a token was not revoked");
            Refusal::Unavailable(error.outcome)
        })?;
        revoked.map(|_at| ()).ok_or(Refusal::StorageFull)
    }

    /// Audit records, newest first, those before `before` if it is given; at most a thousand.
    ///
    /// # Errors
    /// Redis could not be asked.
    pub async fn audit(&self, before: Option<Place>, limit: u32) -> Result<Vec<Kept>, Refusal> {
        self.store.audit(before, limit).await.map_err(unavailable)
    }

    /// Ends every connection of a user, on all nodes.
    ///
    /// # Errors
    /// The actor is no admin, the user has no connection, or Redis could not be asked.
    pub async fn disconnect(&self, actor: &Actor, user: UserId) -> Result<Reply, Refusal> {
        if actor.participant.role != Role::Admin {
            return Err(Refusal::AccessDenied);
        }
        if !self.store.is_connected(&user).await.map_err(unavailable)? {
            return Err(Refusal::UserNotFound);
        }
        info!(user.id = %user, by = %actor.id(), "a user is disconnected");
        self.store.signal(Topic::User(user.clone()), Signal::Disconnect);
        Ok(Reply::Disconnected { user })
    }
}

/// Redis could not be asked, and nothing that would be stored twice was at stake.
#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
fn unavailable(error: StoreError) -> Refusal {
    debug!(%error, "redis could not be asked");
    Refusal::Unavailable(Outcome::Refused)
}
