//! What is read of a room: pages of its messages, and what a joiner is shown.

use crate::chat::{Chat, unavailable};
use crate::clock;
use crate::domain::id::{MessageId, RoomId};
use crate::domain::position::Position;
use crate::domain::refusal::Refusal;
use crate::domain::reply::Reply;
use crate::domain::role::Actor;
use crate::domain::time::Timestamp;
use crate::domain::view::{SHOWN_MESSAGES_MAX, SHOWN_USERS_MAX, View, Wanted};

impl Chat {
    /// A page of the messages of a room that the actor may hear, counted from the newest or from
    /// those before a message.
    ///
    /// # Errors
    /// `before` is in another room, or Redis could not be asked.
    pub async fn history(
        &self,
        room: RoomId,
        (limit, offset): (u32, u64),
        before: Option<MessageId>,
    ) -> Result<Reply, Refusal> {
        if before.is_some_and(|it| !it.is_in(&room)) {
            return Err(Refusal::invalid("before is no message of this room"));
        }
        let up_to = before.map(|it| {
            let Position { epoch, seq } = it.position();
            Position::new(epoch.0, seq.0.saturating_sub(1))
        });
        let page = self.store.messages(&room, (limit, offset), up_to).await;
        let (total, messages) = page.map_err(unavailable)?;
        Ok(Reply::History { room, messages, limit, offset, total })
    }

    /// What an actor who has come into a room is shown of it. Live events follow after `up_to`.
    ///
    /// # Errors
    /// Redis could not be asked.
    pub async fn view(
        &self,
        actor: &Actor,
        room: &RoomId,
        up_to: Position,
        wanted: Wanted,
    ) -> Result<View, Refusal> {
        let messages = if wanted.messages {
            let page = self.store.messages(room, (SHOWN_MESSAGES_MAX, 0), Some(up_to)).await;
            page.map_err(unavailable)?.1
        } else {
            Vec::new()
        };
        let mut users = Vec::new();
        if wanted.users {
            users = self.seen_in(actor, std::slice::from_ref(room)).await?;
            // The actor is the last of them, and stays.
            users.drain(..users.len().saturating_sub(SHOWN_USERS_MAX));
        }
        let created_at = if wanted.created_at { Some(self.created_at(room).await?) } else { None };
        Ok(View { messages, users, created_at })
    }

    /// When a room was made. Of one that is just being forgotten: now.
    pub(super) async fn created_at(&self, room: &RoomId) -> Result<Timestamp, Refusal> {
        let record = self.store.room(room).await.map_err(unavailable)?;
        Ok(record.map_or_else(clock::now, |it| it.created_at))
    }
}
