//! Every event of every protocol that ships, with values of any kind: what a client says is what is
//! understood, and what is spoiled on the way harms nothing.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::dialect::source::Source;
use crate::dialect::tests::samples;
use crate::dialect::{Dialects, Malformed, Venue};
use crate::domain::attachment::Upload;
use crate::domain::command::{Command, Draft, Since, Token};
use crate::domain::id::{ClientMessageId, MessageId, RoomId, UserId};
use crate::domain::position::Position;
use crate::domain::presence::Status;
use crate::domain::refusal::Refusal;
use crate::domain::room::Visibility;

/// One way in which a file says that an event may be written.
#[derive(Debug, Clone)]
struct Way {
    dialect: String,
    venue: Venue,
    event: String,
    does: String,
    args: Vec<Value>,
}

/// All ways of all files, everywhere that they are spoken.
fn ways() -> Vec<Way> {
    let mut ways = Vec::new();
    for source in Source::builtin() {
        let file: toml::Table = source.text.parse().unwrap();
        let texts = |value: &toml::Value| {
            let text = |it: &toml::Value| it.as_str().unwrap().to_owned();
            let list = value.as_array().map(|all| all.iter().map(text).collect::<Vec<_>>());
            list.unwrap_or_else(|| vec![text(value)])
        };
        let venues = match file.get("paths") {
            Some(paths) => texts(paths).into_iter().map(|it| Venue::Path(it.into())).collect(),
            None => texts(&file["namespaces"])
                .into_iter()
                .map(|it| Venue::Namespace(it.into()))
                .collect::<Vec<_>>(),
        };
        for client in file["client"].as_array().unwrap() {
            for args in texts(&client["args"]) {
                let args: Vec<Value> = serde_json::from_str(&args).unwrap();
                ways.extend(venues.iter().map(|venue| Way {
                    dialect: source.name.clone(),
                    venue: venue.clone(),
                    event: client["event"].as_str().unwrap().to_owned(),
                    does: client["does"].as_str().unwrap().to_owned(),
                    args: args.clone(),
                }));
            }
        }
    }
    ways
}

/// A value for every name that a client can be asked for.
#[derive(Debug, Clone)]
struct Values {
    room: u32,
    place: (u32, u32),
    text: String,
    word: String,
    page: (u32, u32),
    active: bool,
    status: Status,
    visibility: Visibility,
    /// Names that a client may leave out are left out.
    is_short: bool,
    /// Ids are written as numbers where that is known.
    in_numbers: bool,
}

fn values() -> impl Strategy<Value = Values> {
    let statuses = vec![Status::Online, Status::Away, Status::Busy, Status::Offline];
    let text = "\\PC{1,40}".prop_filter("it says something", |it| !it.trim().is_empty());
    let parts = (
        (any::<u32>(), any::<(u32, u32)>(), (1_u32..=100, any::<u32>())),
        (text, "[a-z]{1,8}x"),
        any::<(bool, bool, bool)>(),
        prop::sample::select(statuses),
        prop::sample::select(vec![Visibility::Public, Visibility::Private]),
    );
    parts.prop_map(|((room, place, page), (text, word), flags, status, visibility)| {
        let (active, is_short, in_numbers) = flags;
        Values { room, place, text, word, page, active, status, visibility, is_short, in_numbers }
    })
}

impl Values {
    fn room(&self) -> RoomId {
        RoomId::parse(&self.room.to_string()).unwrap()
    }

    fn position(&self) -> Position {
        Position::new(u64::from(self.place.0), u64::from(self.place.1))
    }

    fn message(&self) -> MessageId {
        MessageId::new(&self.room(), self.position())
    }

    fn upload(&self) -> Upload {
        Upload { name: self.word.clone(), media_type: self.text.clone(), data: self.text.clone() }
    }

    /// How a client writes the value of `$name`.
    fn said(&self, name: &str, way: &Way) -> Value {
        match name {
            "room" | "whom" if self.in_numbers && way.dialect == "desk" => json!(self.room),
            "room" | "whom" => json!(self.room.to_string()),
            "room.name" | "room.description" | "reason" | "token" => json!(self.word),
            "room.visibility" => json!(self.visibility.as_str()),
            "since" => json!({ "epoch": self.place.0, "seq": self.place.1 }),
            "message.id" | "before" => json!(self.message().to_string()),
            "message.text" => json!(self.text),
            "message.kind" | "message.client_id" => json!(self.word),
            "message.attachments" => {
                json!([{ "name": self.word, "type": self.text, "data": self.text }])
            }
            "limit" => json!(self.page.0),
            "offset" => json!(self.page.1),
            "active" => json!(self.active),
            "status" => json!(self.status.as_str()),
            "user.id" | "user.name" => json!(self.word),
            "user.role" => json!("user"),
            other => panic!("no value for ${other}"),
        }
    }

    /// The command that `way` asks for with these values, written without the dialect's help.
    fn command(&self, way: &Way, names: &BTreeSet<String>) -> Command {
        let (room, has) = (self.room(), |name: &str| names.contains(name));
        let word = |name: &str| has(name).then(|| self.word.clone());
        match way.does.as_str() {
            "room.join" => Command::Join {
                room,
                since: has("since").then(|| Since::Position(self.position())),
            },
            "room.create" => Command::CreateRoom {
                name: self.word.clone(),
                description: word("room.description").unwrap_or_default(),
                visibility: if has("room.visibility") {
                    self.visibility
                } else {
                    Visibility::Public
                },
            },
            "room.leave" => Command::Leave { room },
            "message.send" => Command::Send(Draft {
                room,
                text: self.text.clone(),
                kind: word("message.kind").unwrap_or_else(|| "text".to_owned()),
                client_message_id: word("message.client_id")
                    .map(|it| ClientMessageId::parse(&it).unwrap()),
                uploads: has("message.attachments").then(|| self.upload()).into_iter().collect(),
            }),
            "room.close" => Command::Close { room, reason: word("reason") },
            "room.history" => Command::History {
                room,
                limit: if has("limit") { self.page.0 } else { 50 },
                offset: if has("offset") { u64::from(self.page.1) } else { 0 },
                before: has("before").then(|| self.message()),
            },
            "room.users" => Command::Users { room },
            "message.read" => Command::MarkRead { message: self.message() },
            "typing.start" => Command::Type { room, active: true },
            "typing.stop" => Command::Type { room, active: false },
            "typing.set" => Command::Type { room, active: self.active },
            "status.set" => Command::SetStatus { status: self.status },
            "users.enter" => Command::Appear,
            "users.leave" => Command::Vanish,
            "users.renew" => Command::Renew,
            "users.list" => Command::ListUsers,
            "stats.watch" => Command::Stats,
            "user.disconnect" => {
                Command::Disconnect { user: UserId::parse(&self.room.to_string()).unwrap() }
            }
            "authenticate" => Command::Authenticate { token: Token::new(self.word.clone()) },
            other => panic!("nobody knows what {other} is"),
        }
    }

    /// An argument, or a part of one, with the values in it; `None`: it is left out.
    fn fill(&self, pattern: &Value, way: &Way, names: &mut BTreeSet<String>) -> Option<Value> {
        match pattern {
            Value::String(name) => {
                let name = name.strip_prefix('$').unwrap();
                let (name, is_optional) = match name.strip_suffix('?') {
                    Some(name) => (name, true),
                    None => (name, false),
                };
                if is_optional && self.is_short {
                    return None;
                }
                names.insert(name.to_owned());
                Some(self.said(name, way))
            }
            Value::Object(members) => {
                let fill =
                    |(key, it): (&String, &Value)| Some((key.clone(), self.fill(it, way, names)?));
                Some(Value::Object(members.iter().filter_map(fill).collect::<Map<_, _>>()))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                panic!("{pattern} is no pattern")
            }
        }
    }

    /// The message of a client that says this, and the names that it gave a value.
    fn message_of(&self, way: &Way) -> (String, BTreeSet<String>) {
        let mut names = BTreeSet::new();
        let args = way.args.iter().map(|it| self.fill(it, way, &mut names).unwrap());
        let args: Vec<Value> = args.collect();
        let message = match &way.venue {
            Venue::Namespace(_) => Value::from([vec![json!(way.event)], args].concat()),
            Venue::Path(_) => json!({ "type": way.event, "payload": args[0], "requestId": "r1" }),
        };
        (message.to_string(), names)
    }
}

/// A refusal of what was spoiled can be told to the client.
fn tell(dialects: &Dialects, malformed: &Malformed) {
    assert!(matches!(malformed.refusal, Refusal::Invalid(_) | Refusal::UnknownEvent));
    let Some(dialect) = malformed.dialect else { return };
    let frame = dialects.get(dialect).refusal_event(malformed.event.as_deref(), &malformed.refusal);
    let told: Value = serde_json::from_str(frame.payload.get()).unwrap();
    assert!(told["message"].is_string(), "{told}");
}

/// Whether a text stands somewhere in this.
fn says(value: &Value, text: &str) -> bool {
    match value {
        Value::String(it) => it == text,
        Value::Array(all) => all.iter().any(|it| says(it, text)),
        Value::Object(all) => all.values().any(|it| says(it, text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_a_client_says_is_what_is_understood(values in values()) {
        let dialects = Dialects::builtin();
        for way in ways() {
            let (message, names) = values.message_of(&way);
            let request = dialects.understand(&way.venue, &message);
            let request = request.unwrap_or_else(|it| panic!("{message}: {:?}", it.refusal));
            prop_assert_eq!(&*request.event, &*way.event);
            prop_assert_eq!(request.command, values.command(&way, &names), "{}", message);
        }
    }

    #[test]
    fn what_is_spoiled_on_the_way_is_judged_and_can_be_answered(
        values in values(),
        way in prop::sample::select(ways()),
        cut in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let dialects = Dialects::builtin();
        let (message, _names) = values.message_of(&way);
        let mut bytes = message.into_bytes();
        let short = String::from_utf8_lossy(&bytes[..cut.index(bytes.len())]).into_owned();
        let malformed = dialects.understand(&way.venue, &short).unwrap_err();
        tell(&dialects, &malformed);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let spoiled = String::from_utf8_lossy(&bytes);
        let _has_files = dialects.takes_files(way.venue.name(), &spoiled);
        if let Err(malformed) = dialects.understand(&way.venue, &spoiled) {
            tell(&dialects, &malformed);
        }
    }

    #[test]
    fn every_protocol_tells_a_message_as_it_was_written(text in any::<String>()) {
        let dialects = Dialects::builtin();
        for name in ["conversation", "case", "flow", "desk", "ticket"] {
            let id = dialects.by_name(name).unwrap();
            let notice = samples::entry(samples::message(&text));
            let spoken = dialects.get(id).encode(&notice).unwrap();
            let heard: Value = serde_json::from_str(spoken.frame.payload.get()).unwrap();
            let escaped: &[(&str, &str)] = match name {
                "desk" => &[("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\"", "&quot;"), ("'", "&#39;")],
                "ticket" => &[("<", "&lt;"), (">", "&gt;")],
                _ => &[],
            };
            let expected = escaped.iter().fold(text.clone(), |it, (from, to)| it.replace(from, to));
            prop_assert!(says(&heard, &expected), "{name}: {heard}");
        }
    }
}

#[test]
fn whatever_a_protocol_tells_is_json() {
    let dialects = Dialects::builtin();
    let mut told = 0;
    for notice in samples::notices() {
        for name in ["conversation", "case", "flow", "desk", "ticket"] {
            let dialect = dialects.get(dialects.by_name(name).unwrap());
            let Some(spoken) = dialect.encode(&notice) else { continue };
            let payload: Value = serde_json::from_str(spoken.frame.payload.get()).unwrap();
            assert!(!payload.is_null(), "{name} {notice:?}");
            told += 1;
        }
    }
    assert!(50 < told, "{told}");
}
