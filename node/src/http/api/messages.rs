//! Messages: written, read, changed, taken away; and how far users have read.

use http::{Method, StatusCode};

use crate::blobs::Blobs;
use crate::chat::Post;
use crate::clock;
use crate::domain::attachment::{Attachment, Upload};
use crate::domain::event::Entry;
use crate::domain::id::{ClientMessageId, MessageId};
use crate::domain::message::KIND_BYTES_MAX;
use crate::domain::role::{Participant, Role, display_name};
use crate::http::api::config::Scope;
use crate::http::api::operation::{Call, Operation};
use crate::http::api::problem::Problem;
use crate::http::api::rooms::{limit, user};
use crate::http::api::shape::{shapes, words};

/// Longest text, in bytes: what the most generous protocol takes.
const TEXT_BYTES_MAX: usize = 1_000_000;

pub(super) fn operations() -> Vec<Operation> {
    const MISSING: &[StatusCode] = &[StatusCode::NOT_FOUND];
    const APPENDS: &[StatusCode] = &[StatusCode::NOT_FOUND, StatusCode::INSUFFICIENT_STORAGE];
    let messages = |method| (method, "/v1/rooms/{room}/messages");
    let message = |method| (method, "/v1/rooms/{room}/messages/{message}");
    let mark = |method| (method, "/v1/rooms/{room}/marks/{user}");
    vec![
        Operation::new(
            messages(Method::POST),
            ("postMessage", "Writes a message in a user's name, or in the system's"),
            Scope::Messages,
            post,
        )
        .takes_files()
        .creates()
        .refuses(APPENDS),
        Operation::new(
            messages(Method::GET),
            ("listMessages", "Reads messages: the newest page first, each oldest first"),
            Scope::Read,
            list,
        )
        .refuses(MISSING),
        Operation::new(
            message(Method::GET),
            ("readMessage", "Reads one message"),
            Scope::Read,
            read,
        )
        .refuses(MISSING),
        Operation::new(
            message(Method::PATCH),
            ("editMessage", "Gives a message another text; the old one is gone"),
            Scope::Messages,
            edit,
        )
        .refuses(APPENDS),
        Operation::new(
            message(Method::DELETE),
            ("deleteMessage", "Takes a message away; its text is gone"),
            Scope::Messages,
            delete,
        )
        .refuses(APPENDS),
        Operation::new(
            mark(Method::GET),
            ("readMark", "Tells how far a user has read a room"),
            Scope::Read,
            unread,
        )
        .refuses(MISSING),
        Operation::new(
            mark(Method::PUT),
            ("moveMark", "Moves a user's read mark forward; authors are told"),
            Scope::Messages,
            move_mark,
        )
        .refuses(MISSING),
    ]
}

words! {
    /// What a user is to the product.
    RoleName for Role {
        User = "user",
        Client = "client",
        Volunteer = "volunteer",
        Agent = "agent",
        Admin = "admin",
    }
}

shapes! {
    /// In whose name a message is written.
    input Sender {
        id: String,
        /// The id where it is left out.
        name: Option<String>,
        /// `user` where it is left out.
        role: Option<RoleName>,
    }
}

shapes! {
    /// A file to be kept with a message.
    input FileToPost {
        name: String,
        /// Has to agree with what the bytes show; left out: as they show.
        media_type: Option<String>,
        /// The bytes in base64, perhaps behind `data:…;base64,`; 10 MiB at most.
        data: String,
    }
}

shapes! {
    /// A message to be written.
    input MessageToPost {
        /// At most 1,000,000 bytes; may be empty beside files.
        text: String,
        /// At most 10 files, and 30 MB in all.
        attachments: Option<Vec<FileToPost>>,
        /// `text` where it is left out.
        kind: Option<String>,
        /// The system where it is left out.
        sender: Option<Sender>,
        /// A second post with the same one is stored once. Made of the Idempotency-Key where that is
        /// given and this is left out.
        client_message_id: Option<String>,
    }
}

shapes! {
    /// Where a message is stored.
    answer Posted {
        id: String,
        room: String,
        epoch: u64,
        seq: u64,
        at: String,
        /// An earlier attempt had stored it.
        duplicate: bool,
    }
}

shapes! {
    /// A file of a message.
    answer File {
        id: String,
        name: String,
        media_type: String,
        size: u64,
        /// Works for a day; reading the message again makes another.
        url: String,
    }
}

impl File {
    fn of(blobs: &Blobs, file: &Attachment) -> Self {
        Self {
            id: file.id.to_string(),
            name: file.name.clone(),
            media_type: file.media_type.clone(),
            size: file.size,
            url: blobs.url(file, clock::now()),
        }
    }
}

shapes! {
    /// A message.
    answer Message {
        id: String,
        room: String,
        epoch: u64,
        seq: u64,
        /// Its number among the room's messages.
        nth: u64,
        sender_id: String,
        sender_name: String,
        sender_role: RoleName,
        text: String,
        kind: String,
        attachments: Vec<File>,
        client_message_id: Option<String>,
        at: String,
    }
}

impl Message {
    /// `None`: the entry is no message.
    pub(super) fn of(blobs: &Blobs, entry: &Entry) -> Option<Self> {
        let message = entry.event.message()?;
        Some(Self {
            id: entry.id().to_string(),
            room: entry.room.to_string(),
            epoch: entry.position.epoch.0,
            seq: entry.position.seq.0,
            nth: entry.nth,
            sender_id: message.sender.id.to_string(),
            sender_name: message.sender.name.clone(),
            sender_role: message.sender.role.into(),
            text: message.text.clone(),
            kind: message.kind.clone(),
            attachments: message.attachments.iter().map(|it| File::of(blobs, it)).collect(),
            client_message_id: message.client_message_id.as_ref().map(ToString::to_string),
            at: entry.at.to_string(),
        })
    }
}

shapes! {
    /// Which messages are wanted.
    input MessagesWanted {
        /// Where to go on, as an earlier page told.
        cursor: Option<String>,
        limit: Option<u64>,
    }
}

shapes! {
    /// A page of messages, oldest first.
    answer MessagesPage {
        messages: Vec<Message>,
        /// Where older ones are; null where there are none.
        next_cursor: Option<String>,
    }
}

shapes! {
    /// The new text.
    input Edit {
        /// At most 1,000,000 bytes.
        text: String,
    }
}

shapes! {
    /// How far a user has read a room.
    answer ReadState {
        /// Messages that the user has not read.
        unread: u64,
        /// The newest message that the user has read; null before the first.
        message_id: Option<String>,
    }
}

shapes! {
    /// Up to where a user has read.
    input MarkToMove {
        message_id: String,
    }
}

/// What is stored of a text: line feeds and tabs stay, other control characters do not.
fn cleaned(text: &str) -> Result<String, Problem> {
    if TEXT_BYTES_MAX < text.len() {
        return Err(Problem::invalid(format!("text is longer than {TEXT_BYTES_MAX} bytes")));
    }
    let kept = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
    let text: String = text.chars().filter(kept).collect();
    Ok(text)
}

/// A text that says something.
fn text(said: &str) -> Result<String, Problem> {
    let text = cleaned(said)?;
    if text.trim().is_empty() { Err(Problem::invalid("text is empty")) } else { Ok(text) }
}

fn kind(kind: Option<String>) -> Result<String, Problem> {
    let kind = kind.unwrap_or_else(|| "text".to_owned());
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/+".contains(c);
    if kind.is_empty() || KIND_BYTES_MAX < kind.len() || !kind.chars().all(is_plain) {
        let message =
            format!("kind has to be 1 to {KIND_BYTES_MAX} letters, digits and - _ . : / +");
        return Err(Problem::invalid(message));
    }
    Ok(kind)
}

impl FileToPost {
    fn upload(self) -> Upload {
        let Self { name, media_type, data } = self;
        Upload { name, media_type: media_type.unwrap_or_default(), data }
    }
}

impl Sender {
    fn participant(&self) -> Result<Participant, Problem> {
        let id = user(&self.id)?;
        let name = self.name.as_deref().and_then(display_name);
        let role = self.role.map_or(Role::User, Role::from);
        Ok(Participant { name: name.unwrap_or_else(|| id.to_string()), id, role, full_name: None })
    }
}

fn no_such_message() -> Problem {
    Problem::missing("MESSAGE_NOT_FOUND", "Message not found")
}

async fn post(call: Call<(), MessageToPost>) -> Result<Posted, Problem> {
    let room = call.room()?;
    let MessageToPost { text: said, attachments, kind: of_kind, sender, client_message_id } =
        call.body;
    let uploads: Vec<Upload> =
        attachments.unwrap_or_default().into_iter().map(FileToPost::upload).collect();
    let name = client_message_id.as_deref().map(ClientMessageId::parse).transpose();
    let name = name.map_err(|it| Problem::invalid(format!("clientMessageId {it}")))?;
    let post = Post {
        room: room.clone(),
        sender: sender.as_ref().map(Sender::participant).transpose()?,
        text: if uploads.is_empty() { text(&said)? } else { cleaned(&said)? },
        uploads,
        kind: kind(of_kind)?,
        name: name.or(call.name),
    };
    let appended = call.parts.chat.post(post).await?;
    Ok(Posted {
        id: MessageId::new(&room, appended.position).to_string(),
        room: room.into(),
        epoch: appended.position.epoch.0,
        seq: appended.position.seq.0,
        at: appended.at.to_string(),
        duplicate: appended.duplicate,
    })
}

async fn list(call: Call<MessagesWanted, ()>) -> Result<MessagesPage, Problem> {
    let before = match call.query.cursor.as_deref() {
        None => 0,
        Some(cursor) => {
            let number = cursor.parse().ok().filter(|it| *it != 0_u64);
            number.ok_or_else(|| Problem::invalid("cursor is none of a page's"))?
        }
    };
    let entries = call.parts.chat.page(&call.room()?, before, limit(call.query.limit)?).await?;
    let next = entries.first().map(|it| it.nth).filter(|nth| 1 < *nth);
    let messages = entries.iter().filter_map(|it| Message::of(&call.parts.blobs, it)).collect();
    Ok(MessagesPage { messages, next_cursor: next.map(|it| it.to_string()) })
}

async fn read(call: Call<(), ()>) -> Result<Message, Problem> {
    let entry = call.parts.chat.message(&call.room()?, call.message()?).await?;
    let message = entry.as_deref().and_then(|it| Message::of(&call.parts.blobs, it));
    message.ok_or_else(no_such_message)
}

async fn edit(call: Call<(), Edit>) -> Result<(), Problem> {
    let (room, message, text) = (call.room()?, call.message()?, text(&call.body.text)?);
    match call.parts.chat.redact(&room, message, Some(text)).await? {
        true => Ok(()),
        false => Err(no_such_message()),
    }
}

async fn delete(call: Call<(), ()>) -> Result<(), Problem> {
    match call.parts.chat.redact(&call.room()?, call.message()?, None).await? {
        true => Ok(()),
        false => Err(no_such_message()),
    }
}

async fn unread(call: Call<(), ()>) -> Result<ReadState, Problem> {
    let (room, user) = (call.room()?, call.user()?);
    let unread = call.parts.chat.unread(&room, &user).await?;
    let read = (unread.mark.seq.0 != 0).then(|| MessageId::new(&room, unread.mark).to_string());
    Ok(ReadState { unread: unread.messages, message_id: read })
}

async fn move_mark(call: Call<(), MarkToMove>) -> Result<(), Problem> {
    let (room, user) = (call.room()?, call.user()?);
    let message = MessageId::parse(&call.body.message_id).filter(|it| it.is_in(&room));
    let message =
        message.ok_or_else(|| Problem::invalid("messageId is no message of this room"))?;
    Ok(call.parts.chat.mark_for(&room, &user, message).await?)
}
