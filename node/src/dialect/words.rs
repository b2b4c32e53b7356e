//! The values of a template's `$names` for one thing told.

use std::borrow::Cow;

use crate::dialect::json;
use crate::dialect::links::Links;
use crate::dialect::request::Ids;
use crate::dialect::word::Word;
use crate::domain::attachment::Attachment;
use crate::domain::event::{Entry, Event, SharedEntry};
use crate::domain::id::MessageId;
use crate::domain::notice::Notice;
use crate::domain::position::Position;
use crate::domain::presence::Shown;
use crate::domain::refusal::{Outcome, Refusal};
use crate::domain::reply::Reply;
use crate::domain::role::Participant;
use crate::domain::room::RoomCard;
use crate::domain::stats::Stats;
use crate::domain::time::Timestamp;

/// What a `$name` stands for.
#[derive(Debug, Clone)]
pub(super) enum Value<'a> {
    Text(Cow<'a, str>),
    Number(u64),
    Flag(bool),
    Position(Position),
    /// A JSON value in text form, as the application gave it.
    Json(&'a str),
    /// Told one by one, by a template of their own.
    List(Vec<Words<'a>>),
}

/// How a dialect writes values.
#[derive(Debug, Default)]
pub(super) struct Style {
    pub(super) links: Links,
    pub(super) ids: Ids,
    /// What stands for a character wherever people's own words are told.
    pub(super) escapes: Vec<(char, String)>,
}

impl Style {
    /// People's own words, as this dialect's clients can take them.
    fn escaped<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let escape = |c: char| self.escapes.iter().find(|(it, _)| *it == c).map(|(_, text)| text);
        if !text.contains(|c| escape(c).is_some()) {
            return Cow::Borrowed(text);
        }
        let mut escaped = String::with_capacity(text.len() + 16);
        for c in text.chars() {
            match escape(c) {
                Some(text) => escaped.push_str(text),
                None => escaped.push(c),
            }
        }
        Cow::Owned(escaped)
    }
}

impl Value<'_> {
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(_) | Self::Flag(_) | Self::Position(_) | Self::Json(_) | Self::List(_) => {
                None
            }
        }
    }

    /// Writes the value as JSON.
    pub(super) fn write(&self, out: &mut String) {
        match self {
            Self::Text(text) => json::write_text(out, text),
            Self::Number(number) => out.push_str(&number.to_string()),
            Self::Flag(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Self::Position(position) => out
                .push_str(&format!(r#"{{"epoch":{},"seq":{}}}"#, position.epoch.0, position.seq.0)),
            Self::Json(json) => out.push_str(json),
            // The check lets a list be told by `$each` only.
            Self::List(_) => out.push_str("null"),
        }
    }
}

/// The values of one thing told.
#[derive(Debug, Clone)]
pub(super) struct Words<'a> {
    style: &'a Style,
    values: Vec<(Word, Value<'a>)>,
}

impl<'a> Words<'a> {
    fn new(style: &'a Style) -> Self {
        Self { style, values: Vec::with_capacity(12) }
    }

    pub(super) fn of_notice(notice: &'a Notice, style: &'a Style) -> Self {
        let words = Self::new(style);
        match notice {
            Notice::Connected { user, socket } => words.user(user).text(Word::Socket, socket),
            Notice::Entry(entry) => words.entry(entry),
            Notice::TypingStarted { room, user }
            | Notice::TypingStopped { room, user }
            | Notice::Inside { room, user }
            | Notice::Entered { room, user }
            | Notice::Left { room, user }
            | Notice::UserOffline { room, user } => words.id(Word::Room, room.as_str()).user(user),
            Notice::Present { room, user, status } | Notice::UserOnline { room, user, status } => {
                words.id(Word::Room, room.as_str()).user(user).text(Word::Status, status.as_str())
            }
            Notice::Listed { users, at } => words.shown(Word::At, at).users(users),
            Notice::News { room, at }
            | Notice::Ended { room, at }
            | Notice::Raised { room, at } => {
                words.id(Word::Room, room.as_str()).shown(Word::At, at)
            }
            Notice::Stats { stats, at } => words.shown(Word::At, at).stats(stats),
            Notice::Delivered { message } => words.shown(Word::Message, message),
            Notice::Read { message, reader } => {
                words.shown(Word::Message, message).id(Word::User, reader.as_str())
            }
            Notice::Emitted { .. } => words, // told as it is
            Notice::Notification { data } => words.with(Word::Data, Value::Json(data)),
            Notice::HistoryReset { room, position } => {
                words.id(Word::Room, room.as_str()).with(Word::Position, Value::Position(*position))
            }
            Notice::TokenExpiring { expires_at } => words.shown(Word::ExpiresAt, expires_at),
        }
    }

    pub(super) fn of_reply(reply: &'a Reply, style: &'a Style) -> Self {
        let words = Self::new(style);
        match reply {
            Reply::Joined { room, position, resumed, missed, members, view } => words
                .created_at(view.created_at)
                .with(Word::Messages, Self::entries(&view.messages, style))
                .users(&view.users)
                .with(Word::Members, Value::Number(*members))
                .room(room)
                .with(Word::Position, Value::Position(*position))
                .with(Word::Resumed, Value::Flag(*resumed))
                .with(Word::Missed, Value::Number(*missed)),
            Reply::Created { room, at } => words.room(room).shown(Word::RoomCreatedAt, at),
            Reply::Left { room } | Reply::Closed { room } => words.id(Word::Room, room.as_str()),
            Reply::Sent { message, room, position, at, repeated: _ } => words
                .shown(Word::Message, message)
                .id(Word::Room, room.as_str())
                .with(Word::Position, Value::Position(*position))
                .with(Word::Seq, Value::Number(position.seq.0))
                .shown(Word::At, at),
            Reply::History { room, messages, limit, offset, total } => words
                .id(Word::Room, room.as_str())
                .with(Word::Messages, Self::entries(messages, style))
                .with(Word::Limit, Value::Number(u64::from(*limit)))
                .with(Word::Offset, Value::Number(*offset))
                .with(Word::Total, Value::Number(*total)),
            Reply::Users { room, users } => words.id(Word::Room, room.as_str()).users(users),
            Reply::Online { user, users, at } => {
                words.user(user).text(Word::Status, "online").shown(Word::At, at).users(users)
            }
            Reply::Stats { stats, at } => words.shown(Word::At, at).stats(stats),
            Reply::Renewed => words,
            Reply::Disconnected { user } => words.id(Word::Whom, user.as_str()),
            Reply::Marked | Reply::Typed => words,
            Reply::StatusSet { status, user, at } => {
                words.text(Word::Status, status.as_str()).user(user).shown(Word::At, at)
            }
            Reply::Authenticated { user } => words.user(user),
        }
    }

    /// `code` and `text` are the dialect's spelling of the refusal.
    pub(super) fn of_refusal(
        refusal: &Refusal,
        code: &'a str,
        text: Cow<'a, str>,
        style: &'a Style,
    ) -> Self {
        let words = Self::new(style)
            .text(Word::Code, code)
            .with(Word::ErrorText, Value::Text(text))
            .text(Word::ErrorOutcome, refusal.outcome().as_str());
        if let Some(wait) = refusal.retry_after() {
            // A wait is rounded up: whoever comes at the told time is not too early.
            let wait_ms = u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
            let details = format!("retry after {wait_ms} ms");
            return words
                .with(Word::RetryAfterMs, Value::Number(wait_ms))
                .with(Word::Details, Value::Text(details.into()));
        }
        match refusal.outcome() {
            Outcome::Refused => words,
            Outcome::Unknown => words.text(
                Word::Details,
                "it may have been stored: retry with the same clientMessageId",
            ),
        }
    }

    pub(super) fn get(&self, word: Word) -> Option<&Value<'a>> {
        self.values.iter().find(|(known, _)| *known == word).map(|(_, value)| value)
    }

    fn with(mut self, word: Word, value: Value<'a>) -> Self {
        self.values.push((word, value));
        self
    }

    fn text(self, word: Word, text: &'a str) -> Self {
        self.with(word, Value::Text(Cow::Borrowed(text)))
    }

    /// People's own words.
    fn free(self, word: Word, text: &'a str) -> Self {
        let text = self.style.escaped(text);
        self.with(word, Value::Text(text))
    }

    fn shown(self, word: Word, value: &impl ToString) -> Self {
        self.with(word, Value::Text(Cow::Owned(value.to_string())))
    }

    fn id(self, word: Word, id: &'a str) -> Self {
        let number = match self.style.ids {
            Ids::Texts => None,
            Ids::Numbers => json::whole(id),
        };
        match number {
            Some(number) => self.with(word, Value::Number(number)),
            None => self.text(word, id),
        }
    }

    fn message(self, message: MessageId) -> Self {
        let seq = message.position().seq.0;
        self.shown(Word::Message, &message).with(Word::MessageSeq, Value::Number(seq))
    }

    fn created_at(self, at: Option<Timestamp>) -> Self {
        match at {
            Some(at) => self.shown(Word::RoomCreatedAt, &at),
            None => self, // not read, because the dialect does not tell it
        }
    }

    fn room(self, room: &'a RoomCard) -> Self {
        self.id(Word::Room, room.id.as_str())
            .free(Word::RoomName, &room.name)
            .free(Word::RoomDescription, &room.description)
            .text(Word::RoomVisibility, room.visibility.as_str())
    }

    fn user(self, user: &'a Participant) -> Self {
        self.id(Word::User, user.id.as_str())
            .free(Word::UserName, &user.name)
            .text(Word::UserRole, user.role.as_str())
            .text(Word::UserSide, user.role.side().as_str())
    }

    fn stats(self, stats: &Stats) -> Self {
        self.with(Word::RoomsTotal, Value::Number(stats.rooms))
            .with(Word::RoomsActive, Value::Number(stats.active_rooms))
            .with(Word::UsersOnline, Value::Number(stats.users))
    }

    fn users(self, users: &'a [Shown]) -> Self {
        let user = |it: &'a Shown| {
            let words = Self::new(self.style).user(&it.user);
            words.text(Word::Status, it.status.as_str()).shown(Word::At, &it.at)
        };
        let users = Value::List(users.iter().map(user).collect());
        self.with(Word::Users, users)
    }

    fn entries(entries: &'a [SharedEntry], style: &'a Style) -> Value<'a> {
        Value::List(entries.iter().map(|it| Self::new(style).entry(it)).collect())
    }

    fn files(self, files: &'a [Attachment]) -> Self {
        let style = self.style;
        let file = |file: &'a Attachment| {
            Self::new(style)
                .shown(Word::FileId, &file.id)
                .free(Word::FileName, &file.name)
                .text(Word::FileType, &file.media_type)
                .with(Word::FileSize, Value::Number(file.size))
                .with(Word::FileUrl, Value::Text(style.links.to(file).into()))
        };
        self.with(Word::Attachments, Value::List(files.iter().map(file).collect()))
    }

    fn entry(self, entry: &'a Entry) -> Self {
        let words = self
            .id(Word::Room, entry.room.as_str())
            .with(Word::Position, Value::Position(entry.position))
            .with(Word::Seq, Value::Number(entry.position.seq.0))
            .with(Word::Nth, Value::Number(entry.nth))
            .shown(Word::At, &entry.at);
        match &entry.event {
            Event::MessagePosted(message) => {
                let words = words
                    .files(&message.attachments)
                    .shown(Word::Message, &entry.id())
                    .free(Word::MessageText, &message.text)
                    .text(Word::MessageKind, &message.kind)
                    .user(&message.sender)
                    .free(Word::UserFirstName, message.sender.first_and_last_name().0)
                    .free(Word::UserLastName, message.sender.first_and_last_name().1);
                match &message.client_message_id {
                    Some(id) => words.id(Word::MessageClientId, id.as_str()),
                    None => words,
                }
            }
            Event::RoomUpdated { metadata } => words.with(Word::Metadata, Value::Json(metadata)),
            Event::RoomClosed { by, reason } => {
                let words = match by {
                    Some(user) => words.user(user),
                    None => words,
                };
                match reason {
                    Some(reason) => words.free(Word::Reason, reason),
                    None => words,
                }
            }
            Event::MessageEdited { message, text } => {
                words.message(*message).free(Word::MessageText, text)
            }
            Event::MessageDeleted { message } => words.message(*message),
            Event::RoomReopened
            | Event::RoomDeleted
            | Event::AccessChanged { .. }
            | Event::Erased => words,
        }
    }
}
