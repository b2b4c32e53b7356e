//! From a packet to its answer.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::chat::Asker;
use crate::clock;
use crate::dialect::{Dialect, DialectId, Malformed, Request, Terms};
use crate::domain::claims::Claims;
use crate::domain::command::{Command, Draft, Since, Token};
use crate::domain::id::{MessageId, RoomId};
use crate::domain::position::Position;
use crate::domain::presence::Status;
use crate::domain::quota::Limit;
use crate::domain::refusal::{Outcome, Refusal};
use crate::domain::reply::Reply;
use crate::domain::role::Actor;
use crate::domain::room::RoomState;
use crate::domain::topic::Topic;
use crate::hub::AttachError;
use crate::hub::outbox::{AckId, Outgoing};
use crate::session::metrics::{self, Metrics};
use crate::session::rooms::Pull;
use crate::session::{Session, limits};

/// What a client whose inbox is full should wait.
const OVERFLOW_PAUSE: Duration = Duration::from_secs(1);

/// How long a status waits for its user to be known to Redis.
const REGISTRATION_MAX: Duration = Duration::from_secs(3);

impl Session {
    /// Carries out one event and answers it.
    pub(super) async fn event(&mut self, packet: &str, ack: Option<AckId>) {
        let started = Instant::now();
        let (dialect, event, result) =
            match self.parts.dialects.decode(&self.peer.namespace, packet) {
                Ok(request) => {
                    let (dialect, event) = (request.dialect, Arc::clone(&request.event));
                    self.stand(dialect).await;
                    let result = self.limited(request).await;
                    self.keep_changes().await;
                    (dialect, Some(event), result)
                }
                Err(Malformed { dialect, event, refusal }) => {
                    let dialect = dialect.unwrap_or(self.dialect);
                    let limit = self.take_event(dialect);
                    (dialect, event, Err(limit.err().unwrap_or(refusal)))
                }
            };
        let label = event.clone().unwrap_or_else(|| Arc::from(Metrics::OTHER));
        metrics::counted(&label, result.as_ref().err(), started.elapsed());
        let parts = Arc::clone(&self.parts);
        let dialect = parts.dialects.get(dialect);
        match result {
            Ok(reply) => self.answer(dialect, &label, &reply, ack),
            Err(refusal) => self.refuse(dialect, event.as_deref(), &refusal, ack),
        }
    }

    /// Carries out what the CONNECT asked for. Its refusal is an event: the connection lives.
    pub(super) async fn greet(&mut self, greeting: Request) {
        let started = Instant::now();
        let (dialect, event) = (greeting.dialect, Arc::clone(&greeting.event));
        let result = self.limited(greeting).await;
        metrics::counted(&event, result.as_ref().err(), started.elapsed());
        let parts = Arc::clone(&self.parts);
        let dialect = parts.dialects.get(dialect);
        match result {
            Ok(reply) => self.answer(dialect, &event, &reply, None),
            Err(refusal) => self.refuse(dialect, Some(&event), &refusal, None),
        }
    }

    /// An event that found the inbox full was not kept; its client is told so.
    pub(super) fn overflowed(&self, ack: Option<AckId>) {
        let refusal = Refusal::RateLimited { retry_after: OVERFLOW_PAUSE };
        let label = Arc::from(Metrics::OTHER);
        metrics::counted(&label, Some(&refusal), Duration::ZERO);
        self.refuse(self.parts.dialects.get(self.dialect), None, &refusal, ack);
    }

    fn answer(&self, dialect: &Dialect, event: &str, reply: &Reply, ack: Option<AckId>) {
        let answer = dialect.reply(event, reply);
        if let Some(id) = ack {
            self.push(Outgoing::Ack { id, payload: answer.ack });
        }
        for frame in answer.events {
            self.push(Outgoing::Event(frame));
        }
    }

    /// A refusal goes to the acknowledgement if there is one, else it is an event; never both.
    pub(super) fn refuse(
        &self,
        dialect: &Dialect,
        event: Option<&str>,
        refusal: &Refusal,
        ack: Option<AckId>,
    ) {
        let outgoing = match ack {
            Some(id) => Outgoing::Ack { id, payload: dialect.refusal_ack(refusal) },
            None => Outgoing::Event(dialect.refusal_event(event, refusal)),
        };
        self.push(outgoing);
    }

    fn take_event(&mut self, dialect: DialectId) -> Result<(), Refusal> {
        let rates = self.parts.dialects.get(dialect).rates();
        self.buckets.take_event(&self.parts.config, rates)
    }

    async fn limited(&mut self, request: Request) -> Result<Reply, Refusal> {
        match &request.command {
            Command::Join { .. } | Command::Leave { .. } => {
                self.buckets.take_join(&self.parts.config)?;
            }
            Command::Send(_)
            | Command::Close { .. }
            | Command::History { .. }
            | Command::Users { .. }
            | Command::MarkRead { .. }
            | Command::Type { .. }
            | Command::SetStatus { .. }
            | Command::Appear
            | Command::Vanish
            | Command::Renew
            | Command::ListUsers
            | Command::Disconnect { .. }
            | Command::Authenticate { .. } => self.take_event(request.dialect)?,
        }
        self.execute(request).await
    }

    async fn execute(&mut self, request: Request) -> Result<Reply, Refusal> {
        let Request { dialect, event: _, terms, claims, command } = request;
        let (actor, command) = match (&self.identity, command) {
            (_, Command::Authenticate { token }) => return self.authenticate(&token, &claims),
            (None, _) => return Err(Refusal::AuthRequired),
            (Some(identity), command) => {
                claims.check(&identity.actor.participant)?;
                (identity.actor.clone(), command)
            }
        };
        if let Command::Send(Draft { room, .. })
        | Command::History { room, .. }
        | Command::Users { room } = &command
        {
            self.is_in_or_may_be(&actor, room, terms.needs_join).await?;
        }
        match command {
            Command::Join { room, since } => self.join((dialect, terms), &actor, room, since).await,
            Command::Leave { room } => self.leave_room(&actor, room).await,
            Command::Send(draft) => self.send(dialect, &actor, draft).await,
            Command::Close { room, reason } => self.close(&actor, room, reason).await,
            Command::History { room, limit, offset } => {
                self.parts.chat.history(room, limit, offset).await
            }
            Command::Users { room } => self.parts.chat.users(&actor, room).await,
            Command::MarkRead { message } => self.mark_read(&actor, message),
            Command::Type { room, active } => self.type_in(&actor, &room, active),
            Command::SetStatus { status } => self.set_status(dialect, &actor, status).await,
            Command::Appear => self.appear(dialect, &actor).await,
            Command::Vanish => self.vanish(dialect, &actor).await,
            Command::Renew => {
                let limit = self.status_limit(dialect);
                self.parts.chat.renew(self.asker(&actor, limit)).await
            }
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
        Asker { actor, conn: self.peer.conn, is_spread, limit }
    }

    /// A first token makes the connection the user's; a later one must be the same user's.
    fn authenticate(&mut self, token: &Token, claims: &Claims) -> Result<Reply, Refusal> {
        let verified = self.parts.auth.verify(token, clock::now());
        let mut identity = verified.map_err(|_one_text_for_all| Refusal::AuthRequired)?;
        let known = self.identity.as_ref().map(|it| &it.actor.participant);
        let user = &mut identity.actor.participant;
        if known.is_some_and(|it| it.id != user.id) {
            return Err(Refusal::AccessDenied);
        }
        claims.check(user)?;
        user.name_if_unnamed(known.map(|it| &*it.name));
        user.name_if_unnamed(claims.name.as_deref());
        let user = user.clone();
        self.guard.extend(identity.expires_at);
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
        if room == RoomId::lobby() {
            return Err(Refusal::AccessDenied);
        }
        let since = since.map(|it| place(it, &room)).transpose()?;
        let (since, goes_on) = self.rooms.goes_on(&room, dialect, since);
        let state = self.parts.chat.admit(actor, &room).await?;
        if terms.needs_open && state == RoomState::Closed {
            return Err(Refusal::RoomClosed);
        }
        let topic = Topic::Room(room.clone());
        let Some(listener) = self.rooms.listener(dialect, &self.peer.outbox) else {
            return Err(Refusal::AuthRequired);
        };
        match self.parts.hub.attach(&topic, listener, since).await {
            Ok(attached) => {
                if terms.leaves_others {
                    for other in self.rooms.others(&room, dialect) {
                        self.leave_room(actor, other).await?;
                    }
                }
                self.rooms.enter(&room, dialect, since, attached);
                Ok(Reply::Joined {
                    room,
                    position: attached.position,
                    resumed: attached.resumed || goes_on,
                    missed: attached.missed,
                    members: attached.members,
                })
            }
            Err(AttachError::NoSuchRoom) => Err(Refusal::RoomNotFound),
            Err(AttachError::Ending) => Err(Refusal::Unavailable(Outcome::Refused)),
            Err(AttachError::Failed(error)) => {
                tracing::debug!(%error, "a room could not be joined");
                Err(Refusal::Unavailable(Outcome::Refused))
            }
        }
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
            (false, false) => self.parts.chat.admit(actor, room).await.map(|_state| ()),
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
    ) -> Result<Reply, Refusal> {
        let rates = self.parts.dialects.get(dialect).rates();
        let asker = self.asker(actor, limits::messages(&self.parts.config, rates));
        self.parts.chat.send(asker, draft).await
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

/// The place in `room` from which a client wants to go on.
fn place(since: Since, room: &RoomId) -> Result<Position, Refusal> {
    match since {
        Since::Position(position) => Ok(position),
        Since::Message(message) if message.is_in(room) => Ok(message.position()),
        Since::Message(_) => Err(Refusal::invalid("since is no message of this room")),
    }
}
