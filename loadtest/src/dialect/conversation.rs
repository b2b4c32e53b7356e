//! The conversation protocol.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::dialect::{Answer, Heard, No, Offer, Position, Since, Speech};
use crate::wire::packet::Arguments;

pub(super) fn spell(speech: &Speech<'_>, offer: Offer) -> (&'static str, String) {
    let (name, argument) = match (speech, offer) {
        (Speech::Join { room, since }, Offer::Full) => {
            let mut argument = json!({ "conversationId": room });
            if let Some(since) = since {
                argument["since"] = spell_since(since);
            }
            ("conversation:join", argument)
        }
        (Speech::Join { room, .. }, Offer::Bare) => ("conversation:join", json!(room)),
        (Speech::Leave { room }, _) => ("conversation:leave", json!(room)),
        (Speech::Send { room, text, client_id }, Offer::Full) => (
            "message:send",
            json!({ "conversationId": room, "content": text, "clientMessageId": client_id }),
        ),
        (Speech::Send { room, text, .. }, Offer::Bare) => {
            ("message:send", json!({ "conversationId": room, "content": text, "type": "text" }))
        }
        (Speech::TypingStart { room }, _) => ("typing:start", json!({ "conversationId": room })),
        (Speech::TypingStop { room }, _) => ("typing:stop", json!({ "conversationId": room })),
        (Speech::Status { status }, _) => ("user:status", json!(status)),
    };
    (name, argument.to_string())
}

fn spell_since(since: &Since) -> Value {
    match since {
        Since::Position(it) => json!({ "epoch": it.epoch, "seq": it.seq }),
        Since::Message(id) => json!(id),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    conversation_id: Cow<'a, str>,
    #[serde(borrow)]
    content: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct User<'a> {
    #[serde(borrow)]
    user_id: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Reset<'a> {
    #[serde(borrow)]
    room: Cow<'a, str>,
    position: Place,
}

#[derive(Deserialize)]
struct Place {
    epoch: u64,
    seq: u64,
}

impl From<Place> for Position {
    fn from(place: Place) -> Self {
        Self { epoch: place.epoch, seq: place.seq }
    }
}

#[derive(Deserialize)]
struct Fault<'a> {
    #[serde(borrow)]
    code: Option<Cow<'a, str>>,
}

/// An event of a known name and another shape is heard as an error, so that it is counted.
pub(super) fn hear<'a>(name: &str, arguments: Arguments<'a>) -> Heard<'a> {
    let heard = match name {
        "message:new" => arguments.first::<Message<'a>>().map(|it| Heard::Message {
            room: it.conversation_id,
            id: it.id,
            text: it.content,
        }),
        "typing:start" | "typing:stop" => Some(Heard::Typing),
        "user:online" => arguments.first::<User<'a>>().map(|it| Heard::Online { user: it.user_id }),
        "user:offline" => {
            arguments.first::<User<'a>>().map(|it| Heard::Offline { user: it.user_id })
        }
        "history:reset" => arguments
            .first::<Reset<'a>>()
            .map(|it| Heard::Reset { room: it.room, position: it.position.into() }),
        "error" => arguments
            .first::<Fault<'a>>()
            .map(|it| Heard::Error { code: it.code.unwrap_or(Cow::Borrowed("without a code")) }),
        _ => Some(Heard::Other),
    };
    heard.unwrap_or(Heard::Error { code: Cow::Borrowed("event of another shape") })
}

#[derive(Deserialize)]
struct Reply {
    ok: bool,
    position: Option<Place>,
    resumed: Option<bool>,
    missed: Option<u64>,
    id: Option<String>,
    seq: Option<u64>,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Refusal {
    code: String,
    outcome: Option<String>,
    retry_after_ms: Option<u64>,
}

pub(super) fn answer(arguments: Arguments<'_>) -> Option<Answer> {
    let reply: Reply = arguments.first()?;
    if let Some(error) = reply.error.filter(|_| !reply.ok) {
        return Some(Answer::Refused(No {
            code: error.code,
            is_unknown: error.outcome.as_deref() == Some("unknown"),
            retry_after_ms: error.retry_after_ms,
        }));
    }
    match (reply.position, reply.id, reply.seq) {
        (Some(position), _, _) => Some(Answer::Joined {
            position: position.into(),
            resumed: reply.resumed?,
            missed: reply.missed?,
        }),
        (None, Some(id), Some(seq)) => Some(Answer::Sent { id, seq }),
        (None, _, _) => reply.ok.then_some(Answer::Done),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::packet::Packet;

    fn answered(json: &str) -> Option<Answer> {
        let text = format!("430[{json}]");
        let Ok(Packet::Ack { arguments, .. }) = Packet::parse(&text) else { panic!("{text}") };
        answer(arguments)
    }

    #[test]
    fn a_join_says_where_to_go_on() {
        let since = Since::Position(Position { epoch: 5, seq: 7 });
        let join = |since, offer| spell(&Speech::Join { room: "r", since }, offer).1;
        assert_eq!(join(None, Offer::Bare), r#""r""#);
        assert_eq!(join(None, Offer::Full), r#"{"conversationId":"r"}"#);
        let full = r#"{"conversationId":"r","since":{"epoch":5,"seq":7}}"#;
        assert_eq!(join(Some(&since), Offer::Full), full);
        let since = Since::Message("m-1".to_owned());
        let full = r#"{"conversationId":"r","since":"m-1"}"#;
        assert_eq!(join(Some(&since), Offer::Full), full);
    }

    #[test]
    fn answers_are_told_apart() {
        let joined = r#"{"ok":true,"conversationId":"r","position":{"epoch":1,"seq":2},"resumed":true,"missed":0}"#;
        let position = Position { epoch: 1, seq: 2 };
        assert_eq!(answered(joined), Some(Answer::Joined { position, resumed: true, missed: 0 }));
        let sent = r#"{"ok":true,"id":"m","conversationId":"r","timestamp":"t","seq":9}"#;
        assert_eq!(answered(sent), Some(Answer::Sent { id: "m".to_owned(), seq: 9 }));
        assert_eq!(answered(r#"{"ok":true}"#), Some(Answer::Done));
        let no = r#"{"ok":false,"error":{"code":"BUSY","message":"x","outcome":"unknown","retryAfterMs":5}}"#;
        let no_parsed = No { code: "BUSY".to_owned(), is_unknown: true, retry_after_ms: Some(5) };
        assert_eq!(answered(no), Some(Answer::Refused(no_parsed)));
        assert_eq!(answered("7"), None);
        assert_eq!(answered(r#"{"ok":false}"#), None);
    }

    #[test]
    fn events_are_heard() {
        let heard = |text: &str| {
            let Ok(Packet::Event { name, arguments }) = Packet::parse(text) else {
                panic!("{text}")
            };
            format!("{:?}", hear(&name, arguments))
        };
        let message = r#"42["message:new",{"id":"i","conversationId":"r","senderId":"s","content":"a\n","type":"text","timestamp":"t"},"offset"]"#;
        assert_eq!(heard(message), r#"Message { room: "r", id: "i", text: "a\n" }"#);
        assert_eq!(heard(r#"42["user:online",{"userId":"u"}]"#), r#"Online { user: "u" }"#);
        assert_eq!(heard(r#"42["message:delivered",{"messageId":"m"}]"#), "Other");
        let odd = r#"Error { code: "event of another shape" }"#;
        assert_eq!(heard(r#"42["message:new",7]"#), odd);
        assert_eq!(heard(r#"42["error",{"message":"m"}]"#), r#"Error { code: "without a code" }"#);
    }
}
