//! Between commands: what the rooms of a client that catches up have for it, page by page.

use crate::domain::close::CloseReason;
use crate::domain::id::RoomId;
use crate::domain::refusal::Refusal;
use crate::domain::topic::Topic;
use crate::hub::{AttachError, Progress};
use crate::session::Session;
use crate::session::packets::Asking;
use crate::session::rooms::Pull;

impl Session {
    /// Lets one topic put its next page into the outbox. A room is entered anew each time: who was
    /// put out since then gets no further page.
    pub(super) async fn pull(&mut self) {
        let Some(Pull { topic, is_admitted, .. }) = self.rooms.next_pull() else { return };
        let progress = match &topic {
            Topic::User(_) => self.pull_user(&topic).await,
            Topic::Room(_) if is_admitted => self.parts.hub.next(&topic, self.peer.conn).await,
            Topic::Room(room) => self.pull_again(room, &topic).await,
        };
        self.rooms.pulled(topic, progress);
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
