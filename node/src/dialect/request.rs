//! What a packet says for each `$name`: how values are checked, and how a dialect judges them.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::value::RawValue;

use crate::dialect::deed::Asked;
use crate::dialect::json;
use crate::domain::attachment::{ATTACHMENTS_MAX, Upload};
use crate::domain::claims::Claims;
use crate::domain::command::{Since, Token};
use crate::domain::id::{ClientMessageId, IdProblem, MessageId, RoomId, UserId};
use crate::domain::message::KIND_BYTES_MAX;
use crate::domain::position::Position;
use crate::domain::presence::Status;
use crate::domain::quota::Limit;
use crate::domain::role::{Side, display_name};
use crate::domain::room::Visibility;
use crate::domain::room_fields::{RoomProblem, room_description, room_name};

/// How a dialect spells ids that are whole numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Ids {
    /// As texts; a number is no id.
    #[default]
    Texts,
    /// As numbers; a text that holds the same number is the same id.
    Numbers,
}

/// How long a message's text may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextMax {
    Bytes(u32),
    Characters(u32),
}

/// How a dialect judges values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) ids: Ids,
    pub(super) text_max: TextMax,
}

/// Text bound of a dialect that names none.
pub(super) const TEXT_MAX_DEFAULT: TextMax = TextMax::Characters(10_000);

/// Messages in a page of history at most.
const PAGE_MAX: u32 = 100;

/// Longest reason for closing a room: a sentence or two.
const REASON_CHARACTERS_MAX: usize = 1_000;

/// Longest name or type of a file that is looked at; a longer one is no name.
const UPLOAD_LABEL_BYTES_MAX: usize = 4096;

/// Rate of a dialect that names none: a guard, far above what people do.
pub(super) const EVENTS_DEFAULT: Limit = Limit { times: 50, per: Duration::from_secs(1) };

/// What a packet said so far, every value checked.
#[derive(Debug, Clone, Default)]
pub(super) struct Given {
    pub(super) room: Option<RoomId>,
    pub(super) room_name: Option<String>,
    pub(super) room_description: Option<String>,
    pub(super) room_visibility: Option<Visibility>,
    pub(super) since: Option<Since>,
    pub(super) message: Option<MessageId>,
    pub(super) text: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) client_message_id: Option<ClientMessageId>,
    pub(super) uploads: Vec<Upload>,
    pub(super) limit: Option<u32>,
    pub(super) offset: Option<u64>,
    pub(super) before: Option<MessageId>,
    pub(super) reason: Option<String>,
    pub(super) active: Option<bool>,
    pub(super) status: Option<Status>,
    pub(super) token: Option<Token>,
    pub(super) whom: Option<UserId>,
    pub(super) claims: Claims,
}

/// What is wrong with a value, to be read behind its field's name.
type Problem = Cow<'static, str>;

impl Given {
    /// Takes the value of `name`.
    pub(super) fn take(&mut self, name: Asked, json: &str, rules: Rules) -> Result<(), Problem> {
        match name {
            Asked::Room => self.room = Some(id(json, rules, RoomId::parse)?),
            Asked::RoomName => self.room_name = Some(described(room_name(&text(json)?))?),
            Asked::RoomDescription => {
                self.room_description = Some(described(room_description(&text(json)?))?);
            }
            Asked::RoomVisibility => {
                let visibility = Visibility::parse(&text(json)?);
                self.room_visibility = Some(visibility.ok_or("must be public or private")?);
            }
            Asked::Since => self.since = Some(since(json)?),
            Asked::Message => self.message = Some(message_id(&text(json)?)?),
            Asked::MessageText => self.text = Some(message_text(&text(json)?, rules.text_max)?),
            Asked::MessageKind => self.kind = Some(kind(&text(json)?)?),
            Asked::MessageClientId => {
                self.client_message_id = Some(id(json, rules, ClientMessageId::parse)?);
            }
            Asked::Active => {
                let active = json.parse().ok(); // JSON and Rust spell these alike
                self.active = Some(active.ok_or("must be true or false")?);
            }
            Asked::Status => {
                let status = Status::parse(&text(json)?);
                self.status = Some(status.ok_or("must be online, away, busy or offline")?);
            }
            Asked::Token => self.token = Some(Token::new(text(json)?.into_owned())),
            Asked::Attachments => self.uploads = uploads(json)?,
            Asked::Limit => self.limit = Some(page_limit(json)?),
            Asked::Offset => {
                self.offset = Some(json::whole(json).ok_or("must be a whole number from 0")?);
            }
            Asked::Before => self.before = Some(message_id(&text(json)?)?),
            Asked::Reason => self.reason = reason(&text(json)?)?,
            Asked::Whom => self.whom = Some(id(json, rules, UserId::parse)?),
            Asked::User => self.claims.id = Some(id(json, rules, UserId::parse)?),
            Asked::UserName => {
                self.claims.name = Some(display_name(&text(json)?).ok_or("is empty")?);
            }
            Asked::UserRole => {
                let side = Side::parse(&text(json)?);
                self.claims.side = Some(side.ok_or("is no known role")?);
            }
        }
        Ok(())
    }

    /// Whether this would be a message of nothing.
    pub(super) fn says_nothing(&self) -> bool {
        self.text.as_ref().is_some_and(|it| it.trim().is_empty()) && self.uploads.is_empty()
    }
}

fn text(json: &str) -> Result<Cow<'_, str>, Problem> {
    if !json.starts_with('"') {
        return Err("must be a text".into());
    }
    json::text(json).ok_or_else(|| "holds half a surrogate".into())
}

fn id<I>(json: &str, rules: Rules, parse: fn(&str) -> Result<I, IdProblem>) -> Result<I, Problem> {
    let is_number = rules.ids == Ids::Numbers && json::whole(json).is_some();
    let text = if is_number { Cow::Borrowed(json) } else { text(json)? };
    parse(&text).map_err(|problem| problem.to_string().into())
}

/// The problem behind the client's own name of the field.
fn described(text: Result<String, RoomProblem>) -> Result<String, Problem> {
    text.map_err(|problem| problem.to_string().into())
}

fn message_id(text: &str) -> Result<MessageId, Problem> {
    MessageId::parse(text).ok_or_else(|| "must be the id of a message".into())
}

fn since(json: &str) -> Result<Since, Problem> {
    const PROBLEM: &str = "must be the id of a message or {epoch, seq}";
    if json.starts_with('"') {
        return message_id(&text(json)?).map(Since::Message).map_err(|_problem| PROBLEM.into());
    }
    let members = json::members(json, &|key| key == "epoch" || key == "seq");
    let members = members.map_err(|_no_object| PROBLEM)?;
    let number = |wanted: &str| {
        let member = members.iter().rfind(|(key, _)| key == wanted);
        member.and_then(|(_, raw)| json::whole(RawValue::get(raw)))
    };
    match (number("epoch"), number("seq")) {
        (Some(epoch), Some(seq)) => Ok(Since::Position(Position::new(epoch, seq))),
        (_, _) => Err(PROBLEM.into()),
    }
}

/// A message's text without control characters; line feeds and tabs stay.
fn message_text(text: &str, text_max: TextMax) -> Result<String, Problem> {
    let too_long = match text_max {
        TextMax::Bytes(max) => {
            ((max as usize) < text.len()).then(|| format!("is longer than {max} bytes"))
        }
        TextMax::Characters(max) => ((max as usize) < text.chars().count())
            .then(|| format!("is longer than {max} characters")),
    };
    if let Some(problem) = too_long {
        return Err(problem.into());
    }
    if text.contains('\0') {
        return Err("holds a NUL character".into());
    }
    Ok(shown(text))
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// Messages in a page of history: as many as the client wants, within bounds.
fn page_limit(json: &str) -> Result<u32, Problem> {
    let limit = json::whole(json).filter(|&it| 0 < it).ok_or("must be a whole number from 1")?;
    Ok(u32::try_from(limit).unwrap_or(PAGE_MAX).min(PAGE_MAX))
}

/// The files of a message, none of them decoded.
fn uploads(json: &str) -> Result<Vec<Upload>, Problem> {
    let files = json::elements(json, ATTACHMENTS_MAX + 1).map_err(|_no_list| "must be a list")?;
    if ATTACHMENTS_MAX < files.len() {
        return Err(format!("are more than {ATTACHMENTS_MAX} files").into());
    }
    let files = (1..).zip(files);
    files.map(|(number, file)| upload(file.get()).ok_or_else(|| no_upload(number))).collect()
}

fn no_upload(number: usize) -> Problem {
    format!("hold a file without a name or without data as texts (number {number})").into()
}

/// What a client calls a file, or its type.
fn label(json: &str) -> Option<Cow<'_, str>> {
    json::text(json).filter(|it| it.len() <= UPLOAD_LABEL_BYTES_MAX)
}

/// A file: its type may be left out.
fn upload(json: &str) -> Option<Upload> {
    const WANTED: [&str; 3] = ["name", "type", "data"];
    let members = json::members(json, &|key| WANTED.contains(&key)).ok()?;
    let member = |wanted: &str| {
        let member = members.iter().rfind(|(key, _)| key == wanted);
        member.map(|(_, raw)| raw.get()).filter(|it| *it != "null")
    };
    Some(Upload {
        name: label(member("name")?)?.into_owned(),
        media_type: member("type").map_or(Some(Cow::Borrowed("")), label)?.into_owned(),
        data: json::text(member("data")?)?.into_owned(),
    })
}

/// Why a room is closed; an empty reason is none.
fn reason(text: &str) -> Result<Option<String>, Problem> {
    if REASON_CHARACTERS_MAX < text.chars().count() {
        return Err(format!("is longer than {REASON_CHARACTERS_MAX} characters").into());
    }
    Ok(Some(shown(text)).filter(|it| !it.trim().is_empty()))
}

/// A message's kind: `text`, `image/png`, …
fn kind(text: &str) -> Result<String, Problem> {
    if text.is_empty() {
        return Err("is empty".into());
    }
    if KIND_BYTES_MAX < text.len() {
        return Err(format!("is longer than {KIND_BYTES_MAX} bytes").into());
    }
    if !text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:/+".contains(c)) {
        return Err("may hold only letters, digits and - _ . : / +".into());
    }
    Ok(text.to_owned())
}
