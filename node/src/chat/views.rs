//! What is read of a room: pages of its messages, who is in it, and what a joiner is shown.

use std::collections::BTreeMap;

use crate::chat::{Chat, unavailable};
use crate::clock;
use crate::domain::id::{MessageId, RoomId, UserId};
use crate::domain::position::Position;
use crate::domain::presence::{LISTED_USERS_MAX, Shown, Status};
use crate::domain::refusal::Refusal;
use crate::domain::reply::Reply;
use crate::domain::role::{Actor, Participant};
use crate::domain::time::Timestamp;
use crate::domain::view::{SHOWN_MESSAGES_MAX, SHOWN_USERS_MAX, View, Wanted};
use crate::store::Counted;

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
        let counted = before.map_or(Counted::All, |it| {
            let Position { epoch, seq } = it.position();
            Counted::UpTo(Position::new(epoch.0, seq.0.saturating_sub(1)))
        });
        let page = self.store.messages(&room, (limit, offset), counted).await;
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
            let counted = Counted::UpTo(up_to);
            let page = self.store.messages(room, (SHOWN_MESSAGES_MAX, 0), counted).await;
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

    /// Who is in a room that the actor may hear.
    ///
    /// # Errors
    /// Redis could not be asked.
    pub async fn users(&self, actor: &Actor, room: RoomId) -> Result<Reply, Refusal> {
        let users = self.seen_in(actor, std::slice::from_ref(&room)).await?;
        Ok(Reply::Users { room, users })
    }

    /// Who is online in the cluster: the most recently seen of those who are listed.
    ///
    /// # Errors
    /// Redis could not be asked.
    pub async fn online(&self, actor: &Actor) -> Result<Reply, Refusal> {
        let mut users = self.store.listed().await.map_err(unavailable)?;
        users.retain(|it| it.status != Status::Offline);
        Ok(online(actor, users))
    }

    /// Who is online in these rooms.
    ///
    /// # Errors
    /// Redis could not be asked.
    pub async fn online_in(&self, actor: &Actor, rooms: &[RoomId]) -> Result<Reply, Refusal> {
        let mut users = self.seen_in(actor, rooms).await?;
        // The asker is the last one, and stays.
        users.drain(..users.len().saturating_sub(LISTED_USERS_MAX));
        Ok(online(actor, users))
    }

    /// How many users are in a room if the actor is, too.
    ///
    /// # Errors
    /// Redis could not be asked.
    pub async fn count(&self, actor: &Actor, room: &RoomId) -> Result<u64, Refusal> {
        self.store.count_with(room, actor.id()).await.map_err(unavailable)
    }

    /// Who is in these rooms and not seen as offline, and the actor: Redis may not know yet that
    /// the actor has come.
    async fn seen_in(&self, actor: &Actor, rooms: &[RoomId]) -> Result<Vec<Shown>, Refusal> {
        let mut inside = BTreeMap::new();
        for room in rooms {
            if LISTED_USERS_MAX <= inside.len() {
                break;
            }
            let found = self.store.inside(room).await.map_err(unavailable)?;
            inside.extend(found.into_iter().map(|it| (it.id.clone(), it)));
        }
        inside.remove(actor.id());
        let others: Vec<Participant> = inside.into_values().take(LISTED_USERS_MAX).collect();
        let asked: Vec<UserId> =
            others.iter().map(|it| it.id.clone()).chain([actor.id().clone()]).collect();
        let seen = self.store.presence(&asked).await.map_err(unavailable)?;
        let own = match seen.last().map(|it| it.status) {
            None | Some(Status::Offline) => Status::Online,
            Some(status @ (Status::Online | Status::Away | Status::Busy)) => status,
        };
        let at = clock::now();
        let others = others.into_iter().zip(seen);
        let others = others.map(|(user, seen)| Shown { user, status: seen.status, at });
        let others = others.filter(|it| it.status != Status::Offline);
        let asker = Shown { user: actor.participant.clone(), status: own, at };
        Ok(others.chain([asker]).collect())
    }
}

/// A list of who is online with the asker on it, whom Redis may not know to be there yet.
fn online(actor: &Actor, mut users: Vec<Shown>) -> Reply {
    let (user, at) = (actor.participant.clone(), clock::now());
    if users.iter().all(|it| it.user.id != user.id) {
        users.insert(0, Shown { user: user.clone(), status: Status::Online, at });
    }
    users.truncate(LISTED_USERS_MAX);
    Reply::Online { user, users, at }
}
