//! What the application does with messages: it writes, reads, changes and takes them away.

use crate::chat::{Chat, receipts, unavailable};
use crate::domain::attachment::Upload;
use crate::domain::event::{Event, SharedEntry};
use crate::domain::id::{ClientMessageId, MessageId, RoomId, UserId};
use crate::domain::message::Message;
use crate::domain::refusal::Refusal;
use crate::domain::role::{Participant, Role};
use crate::domain::room::{Reserved, Visibility};
use crate::store::{Append, Appended, Counted, FeedPage, FeedPlace, Redaction, Unread};

/// A message that the application writes.
#[derive(Debug, Clone)]
pub struct Post {
    /// Where.
    pub room: RoomId,
    /// In whose name; `None`: the system's.
    pub sender: Option<Participant>,
    /// What it says.
    pub text: String,
    /// Its files.
    pub uploads: Vec<Upload>,
    /// `text` unless it is something else.
    pub kind: String,
    /// With a name, a repeated post is stored once.
    pub name: Option<ClientMessageId>,
}

/// Who writes what no user wrote.
fn system() -> Option<Participant> {
    let id = UserId::parse("system").ok()?;
    Some(Participant { id, name: "System".to_owned(), role: Role::Agent, full_name: None })
}

impl Chat {
    /// Writes a message. In a user's name it is refused where the user is muted or banned.
    ///
    /// # Errors
    /// No such room, a closed one, a barred user, files that are not taken, a full store, or Redis or
    /// the store of files could not be asked.
    pub async fn post(&self, post: Post) -> Result<Appended, Refusal> {
        let Post { room, sender, text, uploads, kind, name } = post;
        if Reserved::of(&room).is_some() {
            // Whoever it is reserved for may not have come yet.
            self.store.create(&room, Visibility::Private).await.map_err(unavailable)?;
        } else {
            self.record(&room).await?;
        }
        let user = sender.as_ref().map(|it| it.id.clone());
        let sender = sender.or_else(system).ok_or(Refusal::UserNotFound)?;
        let message = Message {
            sender,
            text,
            kind,
            client_message_id: name.clone(),
            attachments: Vec::new(),
        };
        let event = Event::MessagePosted(message);
        let append = Append::of_application(&room, event);
        let append = Append { sender: user, client_message_id: name, ..append };
        self.append_with(uploads, append).await
    }

    /// A page of a room's messages before the one with this number (0: the newest), oldest first.
    ///
    /// # Errors
    /// No such room, or Redis could not be asked.
    pub async fn page(
        &self,
        room: &RoomId,
        before: u64,
        limit: u32,
    ) -> Result<Vec<SharedEntry>, Refusal> {
        self.record(room).await?;
        let counted = if before == 0 { Counted::All } else { Counted::Before(before) };
        let page = self.store.messages(room, (limit, 0), counted).await;
        page.map(|(_total, entries)| entries).map_err(unavailable)
    }

    /// One message of a room.
    ///
    /// # Errors
    /// No such room or message, or Redis could not be asked.
    pub async fn message(
        &self,
        room: &RoomId,
        message: MessageId,
    ) -> Result<Option<SharedEntry>, Refusal> {
        self.record(room).await?;
        if !message.is_in(room) {
            return Ok(None);
        }
        let entry = self.store.entry(room, message.position()).await.map_err(unavailable)?;
        Ok(entry.filter(|it| it.event.is_message()))
    }

    /// Gives a message another text, or takes it away (`None`): from the log, from the memory of
    /// nodes, and from clients that are told so; its files go with it. `false`: there is no such
    /// message.
    ///
    /// # Errors
    /// No such room, a full store, or Redis or the store of files could not be asked; asking again is
    /// harmless.
    pub async fn redact(
        &self,
        room: &RoomId,
        message: MessageId,
        text: Option<String>,
    ) -> Result<bool, Refusal> {
        let Some(entry) = self.message(room, message).await? else { return Ok(false) };
        let event = match text {
            Some(text) => Event::MessageEdited { message, text },
            None => Event::MessageDeleted { message },
        };
        let Some(left) = entry.event.redacted(room, entry.position, &event) else {
            return Ok(false);
        };
        // First: who asks again after a failure still finds the message, and so its files.
        if let (Event::MessageDeleted { .. }, Some(message)) = (&event, entry.event.message()) {
            self.blobs.remove(&message.attachments).await?;
        }
        let append = Append::of_application(room, event);
        self.append(Append { redacts: Some(Redaction { message, left }), ..append }).await?;
        Ok(true)
    }

    /// How far a user has read a room.
    ///
    /// # Errors
    /// No such room, or Redis could not be asked.
    pub async fn unread(&self, room: &RoomId, user: &UserId) -> Result<Unread, Refusal> {
        self.record(room).await?;
        self.store.unread(room, user).await.map_err(unavailable)
    }

    /// Moves a user's read mark forward, and tells the authors. A place that the log does not have
    /// moves nothing.
    ///
    /// # Errors
    /// No such room, or Redis could not be asked.
    pub async fn mark_for(
        &self,
        room: &RoomId,
        user: &UserId,
        message: MessageId,
    ) -> Result<(), Refusal> {
        self.record(room).await?;
        let read = receipts::read(&self.store, room, user, message.position()).await;
        read.map_err(unavailable)
    }

    /// What follows a place of the feed, as [`crate::store::Store::feed`] answers it.
    ///
    /// # Errors
    /// Redis could not be asked.
    pub async fn feed(&self, after: Option<FeedPlace>, batches: u64) -> Result<FeedPage, Refusal> {
        self.store.feed(after, batches).await.map_err(unavailable)
    }
}
