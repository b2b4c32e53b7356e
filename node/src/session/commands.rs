//! Carrying out what was understood.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::timeout;

use crate::auth::AuthFailure;
use crate::chat::Asker;
use crate::dialect::envelope::RequestId;
use crate::dialect::{DialectId, DialectSet, Request, Terms};
use crate::domain::claims::Claims;
use crate::domain::command::{Command, Draft, Since, Token};
use crate::domain::id::{MessageId, RoomId};
use crate::domain::position::Position;
use crate::domain::presence::Status;
use crate::domain::quota::Limit;
use crate::domain::refusal::{Outcome, Refusal};
use crate::domain::reply::Reply;
use crate::domain::role::Actor;
use crate::domain::room::{NewRoom, Reserved, RoomState};
use crate::domain::topic::Topic;
use crate::domain::view::{View, Wanted};
use crate::hub::{AttachError, Attached, ROSTER_USERS_MAX};
use crate::session::rooms::Pull;
use crate::session::{Session, limits};

/// How long a status waits for its user to be known to Redis.
const REGISTRATION_MAX: Duration = Duration::from_secs(3);

impl Session {
    pub(super) async fn limited(&mut self, request: Request) -> Result<Reply, Refusal> {
        match &request.command {
            Command::Join { .. } | Command::Leave { .. } => {
                self.buckets.take_join(&self.parts.config)?;
            }
            Command::CreateRoom { .. }
            | Command::Send(_)
            | Command::Close { .. }
            | Command::History { .. }
            | Command::Users { .. }
            | Command::MarkRead { .. }
            | Command::Type { .. }
            | Command::SetStatus { .. }
            | Command::Appear
            | Command::Vanish
            | Command::Renew
            | Command::Stats
            | Command::ListUsers
            | Command::Disconnect { .. }
            | Command::Authenticate { .. } => self.take_event(request.dialect)?,
        }
        self.execute(request).await
    }

    async fn execute(&mut self, request: Request) -> Result<Reply, Refusal> {
        let Request { dialect, event: _, terms, request, claims, command } = request;
        let (actor, command) = match (&self.identity, command) {
            (_, Command::Authenticate { token }) => return self.authenticate(&token, claims).await,
            (None, _) => return Err(Refusal::AuthRequired),
            (Some(identity), command) => {
                claims.check(&identity.actor)?;
                (identity.actor.clone(), command)
            }
        };
        self.take_up_before(&command).await?;
        if let Command::Send(Draft { room, .. })
        | Command::History { room, .. }
        | Command::Users { room } = &command
        {
            self.is_in_or_may_be(&actor, room, terms.needs_join).await?;
        }
        match command {
            Command::Join { room, since } => self.join((dialect, terms), &actor, room, since).await,
            Command::CreateRoom { name, description, visibility } => {
                let mut new = NewRoom::plain(visibility);
                new.room.name = Some(name);
                new.room.description = description;
                self.parts.chat.create_room(self.asker(&actor, None), new).await
            }
            Command::Leave { room } => self.leave_room(&actor, room).await,
            Command::Send(draft) => self.send(dialect, &actor, draft, request).await,
            Command::Close { room, reason } => self.close(&actor, room, reason).await,
            Command::History { room, limit, offset, before } => {
                self.parts.chat.history(room, (limit, offset), before).await
            }
            Command::Users { room } => self.parts.chat.users(&actor, room).await,
            Command::MarkRead { message } => self.mark_read(&actor, message),
            Command::Type { room, active } => self.type_in(&actor, &room, active),
            Command::SetStatus { status } => self.set_status(dialect, &actor, status).await,
            Command::Appear => self.appear(dialect, &actor).await,
            Command::Vanish => self.vanish(dialect, &actor).await,
            Command::Renew => {
                let limit = self.status_limit(dialect);
                let reply = self.parts.chat.renew(self.asker(&actor, limit)).await?;
                self.parts.hub.directory().saw(actor.id());
                Ok(reply)
            }
            Command::Stats => self.watch_stats(dialect, &actor).await,
            Command::ListUsers => self.list_users(dialect, &actor).await,
            Command::Disconnect { user } => self.parts.chat.disconnect(&actor, user).await,
            Command::Authenticate { .. } => Err(Refusal::AuthRequired), // answered above
        }
    }

    /// Redis sets the status of users that it knows to be connected, so a status that comes right
    /// behind the connection waits for that.
    pub(super) async fn set_status(
        &mut self,
        dialect: DialectId,
        actor: &Actor,
        status: Status,
    ) -> Result<Reply, Refusal> {
        if let Some(Pull { topic, .. }) = self.rooms.take_user_pull() {
            let progress = self.pull_user(&topic).await;
            self.rooms.pulled(topic, progress);
        }
        let known = self.parts.hub.directory().known(actor.id());
        if timeout(REGISTRATION_MAX, known).await.is_err() {
            return Err(Refusal::Unavailable(Outcome::Refused));
        }
        let limit = self.status_limit(dialect);
        self.parts.chat.set_status(self.asker(actor, limit), status).await
    }

    fn status_limit(&self, dialect: DialectId) -> Option<Limit> {
        let rates = self.parts.dialects.get(dialect).rates();
        limits::statuses(&self.parts.config, rates)
    }

    pub(super) fn asker<'a>(&self, actor: &'a Actor, limit: Option<Limit>) -> Asker<'a> {
        // Only who is limited needs to know whether the user is elsewhere too.
        let is_spread = limit.is_some() && self.parts.hub.directory().is_spread(actor.id());
        Asker {
            actor,
            origin: self.rooms.origin(),
            is_spread,
            limit,
            trace: self.span.parent(),
            request: None,
        }
    }

    /// A first token makes the connection the user's; a later one must be the same user's.
    /// The token's name stands above the one beside it.
    async fn authenticate(&mut self, token: &Token, mut claims: Claims) -> Result<Reply, Refusal> {
        let verified = self.parts.auth.verify_patiently(token).await;
        let verified = verified.and_then(|it| self.parts.unless_revoked(it));
        let outcome = verified.as_ref().err().map_or("authenticated", |it| it.as_str());
        self.auditor.authenticated(verified.as_ref().ok().or(self.identity.as_ref()), outcome);
        let mut identity = verified.map_err(AuthFailure::counted)?;
        let known = self.identity.as_ref().map(|it| &it.actor);
        let actor = &mut identity.actor;
        if known.is_some_and(|it| it.id() != actor.id()) {
            return Err(Refusal::AccessDenied);
        }
        let name = claims.name.take();
        claims.check(actor)?;
        actor.name_if_unnamed(known.filter(|it| it.is_named).map(|it| &*it.participant.name));
        actor.name_if_unnamed(name.as_deref());
        let user = actor.participant.clone();
        self.guard.extend(identity.expires_at);
        // The former hold first: it is known by its connection too.
        self.hold = None;
        self.hold = Some(self.parts.hold(&identity, &self.peer));
        let is_first = self.identity.replace(identity).is_none();
        self.peer.known.store(true, Ordering::Relaxed);
        if is_first {
            self.welcome();
        }
        Ok(Reply::Authenticated { user })
    }

    async fn join(
        &mut self,
        (dialect, terms): (DialectId, Terms),
        actor: &Actor,
        room: RoomId,
        since: Option<Since>,
    ) -> Result<Reply, Refusal> {
        let rooms_max = self.parts.config.rooms_per_connection as usize;
        if rooms_max != 0 && rooms_max <= self.rooms.len() && !self.rooms.has(&room) {
            let reason = format!("at most {rooms_max} rooms a connection");
            return Err(Refusal::invalid(reason));
        }
        if let Some(Reserved::Lobby | Reserved::Newsroom) = Reserved::of(&room) {
            return Err(Refusal::AccessDenied);
        }
        let since = since.map(|it| place(it, &room)).transpose()?;
        let (since, goes_on) = self.rooms.goes_on(&room, dialect, since);
        let admitted = self.parts.chat.admit(actor, &room).await?;
        if terms.needs_open && admitted.state == RoomState::Closed {
            return Err(Refusal::RoomClosed);
        }
        let topic = Topic::Room(room.clone());
        let heard_in = DialectSet::of(dialect);
        let Some(listener) = self.rooms.listener(heard_in, &self.peer.outbox) else {
            return Err(Refusal::AuthRequired);
        };
        let attached = self.parts.hub.attach(&topic, listener, since).await.map_err(refused)?;
        let view = self.view(terms.wanted, actor, &room, &attached).await?;
        if terms.leaves_others {
            for other in self.rooms.others(&room, dialect) {
                self.leave_room(actor, other).await?;
            }
        }
        let is_admitted = admitted.head.is_none_or(|it| attached.position <= it);
        self.rooms.enter((&room, dialect), since, attached, is_admitted);
        let members = self.members(actor, &room, attached.members).await;
        let Attached { position, resumed, missed, members: _ } = attached;
        let (room, resumed) = (admitted.card, resumed || goes_on);
        Ok(Reply::Joined { room, position, resumed, missed, members, view })
    }

    /// What the joiner of a room is shown. What it missed since a place of its own follows as
    /// events, so the messages are not shown then.
    async fn view(
        &self,
        wanted: Wanted,
        actor: &Actor,
        room: &RoomId,
        attached: &Attached,
    ) -> Result<View, Refusal> {
        let wanted = Wanted { messages: wanted.messages && !attached.resumed, ..wanted };
        let view = self.parts.chat.view(actor, room, attached.position, wanted).await;
        if view.is_err() && !self.rooms.has(room) {
            self.parts.hub.detach(&Topic::Room(room.clone()), self.peer.conn).await;
        }
        view
    }

    /// How many users are in a room: of one so full that this node knows only a part, Redis says.
    async fn members(&self, actor: &Actor, room: &RoomId, known: u64) -> u64 {
        if known < ROSTER_USERS_MAX as u64 {
            return known;
        }
        self.parts.chat.count(actor, room).await.unwrap_or(known)
    }

    /// Some dialects ask for no more than the right to join.
    async fn is_in_or_may_be(
        &self,
        actor: &Actor,
        room: &RoomId,
        needs_join: bool,
    ) -> Result<(), Refusal> {
        match (self.rooms.has(room), needs_join) {
            (true, _) => Ok(()),
            (false, true) => Err(Refusal::NotAMember),
            (false, false) => self.parts.chat.admit(actor, room).await.map(|_admitted| ()),
        }
    }

    async fn leave_room(&mut self, actor: &Actor, room: RoomId) -> Result<Reply, Refusal> {
        self.type_in(actor, &room, false)?;
        if !self.rooms.exit(&room) {
            return Err(Refusal::NotAMember);
        }
        self.parts.hub.detach(&Topic::Room(room.clone()), self.peer.conn).await;
        Ok(Reply::Left { room })
    }

    async fn send(
        &self,
        dialect: DialectId,
        actor: &Actor,
        draft: Draft,
        request: Option<RequestId>,
    ) -> Result<Reply, Refusal> {
        let rates = self.parts.dialects.get(dialect).rates();
        let asker = self.asker(actor, limits::messages(&self.parts.config, rates));
        // Only who can recognise a repeat hears which request its own message came from.
        let request = request.filter(|_| draft.client_message_id.is_some());
        let request = request.as_ref().map(RequestId::as_json);
        self.parts.chat.send(Asker { request, ..asker }, draft).await
    }

    async fn close(
        &self,
        actor: &Actor,
        room: RoomId,
        reason: Option<String>,
    ) -> Result<Reply, Refusal> {
        if !self.rooms.has(&room) {
            return Err(Refusal::NotAMember);
        }
        self.parts.chat.close(self.asker(actor, None), room, reason).await
    }

    fn mark_read(&self, actor: &Actor, message: MessageId) -> Result<Reply, Refusal> {
        let room = self.rooms.room_of(message).ok_or(Refusal::NotAMember)?;
        self.parts.chat.mark_read(actor, room, message)
    }

    fn type_in(&mut self, actor: &Actor, room: &RoomId, active: bool) -> Result<Reply, Refusal> {
        if !self.rooms.has(room) {
            return Err(Refusal::NotAMember);
        }
        let is_news = if active { self.rooms.type_in(room) } else { self.rooms.stop_typing(room) };
        if is_news {
            self.parts.chat.tell_typing(self.asker(actor, None), room, active);
        }
        Ok(Reply::Typed)
    }

    /// Whoever heard a start hears a stop.
    pub(super) fn stop_all_typing(&mut self) {
        let Some(identity) = &self.identity else { return };
        for room in self.rooms.typing() {
            let asker = self.asker(&identity.actor, None);
            self.parts.chat.tell_typing(asker, &room, false);
        }
    }
}

/// Why a room could not be joined.
fn refused(error: AttachError) -> Refusal {
    match error {
        AttachError::NoSuchRoom => Refusal::RoomNotFound,
        AttachError::Ending => Refusal::Unavailable(Outcome::Refused),
        AttachError::Failed(error) => {
            tracing::debug!(%error, "a room could not be joined");
            Refusal::Unavailable(Outcome::Refused)
        }
    }
}

/// The place in `room` from which a client wants to go on.
fn place(since: Since, room: &RoomId) -> Result<Position, Refusal> {
    match since {
        Since::Position(position) => Ok(position),
        Since::Message(message) if message.is_in(room) => Ok(message.position()),
        Since::Message(_) => Err(Refusal::invalid("since is no message of this room")),
    }
}
