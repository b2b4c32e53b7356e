//! Between commands: what the rooms of a client that catches up have for it, page by page.

use crate::dialect::DialectSet;
use crate::domain::close::CloseReason;
use crate::domain::command::Command;
use crate::domain::id::RoomId;
use crate::domain::notice::Notice;
use crate::domain::refusal::{Outcome, Refusal};
use crate::domain::topic::Topic;
use crate::hub::outbox::Outgoing;
use crate::hub::{AttachError, Progress};
use crate::session::Session;
use crate::session::packets::Asking;
use crate::session::rooms::Pull;
use crate::session::rooms::restored::Restored;

impl Session {
    /// Lets one topic put its next page into the outbox. A room is entered anew each time: who was
    /// put out since then gets no further page.
    pub(super) async fn pull(&mut self) {
        let Some(Pull { topic, is_admitted, .. }) = self.rooms.next_pull() else { return };
        let progress = match &topic {
            Topic::User(_) => self.pull_user(&topic).await,
            Topic::Room(room) if self.rooms.awaits(room) => self.take_up(room, &topic).await,
            Topic::Room(_) if is_admitted => self.parts.hub.next(&topic, self.peer.conn).await,
            Topic::Room(room) => self.pull_again(room, &topic).await,
        };
        self.rooms.pulled(topic, progress);
        self.keep_changes().await;
    }

    /// The room of an earlier connection that a command is about is taken up before it is obeyed:
    /// until then nobody knows whether the user may still be there.
    ///
    /// # Errors
    /// Redis could not be asked.
    pub(super) async fn take_up_before(&mut self, command: &Command) -> Result<(), Refusal> {
        let room = if let Command::MarkRead { message } = command {
            self.rooms.room_of(*message)
        } else {
            command.room()
        };
        let Some(room) = room.filter(|it| self.rooms.awaits(it)).cloned() else { return Ok(()) };
        let topic = Topic::Room(room.clone());
        let progress = self.take_up(&room, &topic).await;
        self.rooms.pulled(topic, progress);
        let is_unknown = self.rooms.awaits(&room);
        if is_unknown { Err(Refusal::Unavailable(Outcome::Refused)) } else { Ok(()) }
    }

    /// Takes a room of an earlier connection up again, if the user may still be there.
    async fn take_up(&mut self, room: &RoomId, topic: &Topic) -> Progress {
        let (Some(identity), Some(restored)) = (&self.identity, self.rooms.restored(room)) else {
            return Progress::Gone;
        };
        let refusal = match self.parts.chat.admit(&identity.actor, room).await {
            Ok(_state) => match self.attach(topic, restored).await {
                Ok(progress) => return progress,
                Err(AttachError::NoSuchRoom) => Refusal::RoomNotFound,
                Err(AttachError::Failed(_)) => return Progress::Later,
                Err(AttachError::Ending) => return Progress::Gone,
            },
            Err(Refusal::Unavailable(_)) => return Progress::Later,
            Err(refusal) => refusal,
        };
        self.put_out(room.clone(), &refusal).await;
        Progress::Gone
    }

    async fn attach(
        &mut self,
        topic: &Topic,
        Restored { room, dialect, place }: Restored,
    ) -> Result<Progress, AttachError> {
        let Some(listener) = self.rooms.listener(DialectSet::of(dialect), &self.peer.outbox) else {
            return Ok(Progress::Gone);
        };
        let attached = self.parts.hub.attach(topic, listener, Some(place)).await?;
        self.rooms.taken_up(&room, attached);
        if !attached.resumed {
            let position = attached.position;
            let reset = Notice::HistoryReset { room, position };
            if let Some(spoken) = self.parts.dialects.get(dialect).encode(&reset) {
                self.push(Outgoing::Event(spoken.frame));
            }
        }
        Ok(self.parts.hub.next(topic, self.peer.conn).await)
    }

    async fn pull_again(&mut self, room: &RoomId, topic: &Topic) -> Progress {
        let Some(identity) = &self.identity else { return Progress::Gone };
        match self.parts.chat.admit(&identity.actor, room).await {
            Ok(_admitted) => self.parts.hub.next(topic, self.peer.conn).await,
            Err(Refusal::Unavailable(_)) => Progress::Later,
            Err(refusal) => {
                self.put_out(room.clone(), &refusal).await;
                Progress::Gone
            }
        }
    }

    pub(super) async fn pull_user(&mut self, topic: &Topic) -> Progress {
        let dialects = self.rooms.user_dialects(topic);
        let Some(listener) = dialects.and_then(|it| self.rooms.listener(it, &self.peer.outbox))
        else {
            return Progress::Gone;
        };
        match self.parts.chat.is_banned(&listener.user).await {
            Ok(false) => (),
            Ok(true) => {
                self.peer.outbox.end(CloseReason::Dismissed);
                return Progress::Gone;
            }
            Err(_unavailable) => return Progress::Later,
        }
        match self.parts.hub.attach(topic, listener, None).await {
            Ok(_) => {
                let progress = self.parts.hub.next(topic, self.peer.conn).await;
                self.rooms.hears_user();
                progress
            }
            Err(AttachError::Failed(_)) => Progress::Later,
            Err(AttachError::NoSuchRoom | AttachError::Ending) => Progress::Gone,
        }
    }

    /// The user may be in the room no more.
    async fn put_out(&mut self, room: RoomId, refusal: &Refusal) {
        let dialect = self.rooms.dialect_of(&room).unwrap_or(self.dialect);
        self.rooms.exit(&room);
        self.parts.hub.detach(&Topic::Room(room), self.peer.conn).await;
        self.refuse(self.parts.dialects.get(dialect), None, refusal, &Asking::default());
    }
}
