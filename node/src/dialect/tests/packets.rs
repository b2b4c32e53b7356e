//! Packets that no honest client sends, and texts of every kind.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::dialect::Dialects;
use crate::dialect::tests::first;
use crate::domain::command::Command;
use crate::domain::event::{Entry, Event};
use crate::domain::id::{RoomId, UserId};
use crate::domain::message::Message;
use crate::domain::notice::Notice;
use crate::domain::position::Position;
use crate::domain::refusal::Refusal;
use crate::domain::role::{Participant, Role};
use crate::domain::time::Timestamp;

const PACKETS: [&str; 8] = [
    r#"["authenticate",{"token":"t.o.k"}]"#,
    r#"["conversation:join",{"conversationId":"c1","since":{"epoch":5,"seq":7}}]"#,
    r#"["conversation:join","c1"]"#,
    r#"["conversation:leave","c1"]"#,
    r#"["message:send",{"conversationId":"c1","content":"hé \ud83d\ude00","type":"text","clientMessageId":"m1"}]"#,
    r#"["message:read",{"messageId":"018f1a2b-0000-8000-8000-000000000000"}]"#,
    r#"["typing:start",{"conversationId":"c1"}]"#,
    r#"["user:status","away"]"#,
];

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::sample::select(vec!["c1", "online", "conversationId"]).prop_map(Value::from),
    ];
    let key = prop::sample::select(vec![
        "conversationId",
        "content",
        "type",
        "clientMessageId",
        "messageId",
        "since",
        "epoch",
        "seq",
        "token",
        "x",
    ]);
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn event_name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "authenticate",
        "conversation:join",
        "conversation:leave",
        "message:send",
        "message:read",
        "typing:start",
        "typing:stop",
        "user:status",
    ])
}

proptest! {
    #[test]
    fn cut_packets_are_refused(packet in prop::sample::select(PACKETS.to_vec()), at in 0_usize..200) {
        let cut = packet.get(..at.min(packet.len() - 1)).unwrap_or_default();
        let malformed = Dialects::builtin().decode("/", cut).unwrap_err();
        prop_assert!(matches!(malformed.refusal, Refusal::Invalid(_)));
    }

    #[test]
    fn perturbed_packets_are_judged(
        packet in prop::sample::select(PACKETS.to_vec()),
        changes in prop::collection::vec((0_usize..200, any::<u8>()), 1..8),
    ) {
        let mut bytes = packet.as_bytes().to_vec();
        for (at, byte) in changes {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        judge(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn arguments_of_any_shape_are_judged(
        event in event_name(),
        args in prop::collection::vec(json_value(), 0..20),
    ) {
        let mut packet = vec![json!(event)];
        packet.extend(args);
        judge(&Value::from(packet).to_string());
    }

    #[test]
    fn a_text_arrives_as_it_was_sent_but_for_control_characters(text in any::<String>()) {
        let packet = json!(["message:send", {"conversationId": "c1", "content": text}]).to_string();
        let shown: String =
            text.chars().filter(|c| !c.is_control() || "\n\t".contains(*c)).collect();
        match Dialects::builtin().decode("/", &packet) {
            Ok(request) => {
                let Command::Send(draft) = request.command else { panic!("not a message") };
                prop_assert_eq!(draft.text, shown);
            }
            Err(_) => prop_assert!(shown.trim().is_empty() || text.contains('\0')),
        }
    }

    #[test]
    fn any_message_is_heard_as_it_was_stored(
        text in any::<String>(),
        name in any::<String>(),
        kind in "[a-z/]{1,32}",
    ) {
        let id = UserId::parse("u1").unwrap();
        let sender = Participant { id, name, role: Role::User, full_name: None };
        let message = Message {
            sender,
            text: text.clone(),
            kind: kind.clone(),
            client_message_id: None,
            attachments: Vec::new(),
        };
        let entry = Entry {
            room: RoomId::parse("c1").unwrap(),
            position: Position::new(1, 2),
            nth: 2,
            at: Timestamp(0),
            origin: None,
            event: Event::MessagePosted(message),
        };
        let id = entry.id().to_string();
        let spoken = first(&Dialects::builtin()).encode(&Notice::Entry(Arc::new(entry))).unwrap();
        let heard: Value = serde_json::from_str(spoken.frame.payload.get()).unwrap();
        let expected = json!({
            "id": id, "conversationId": "c1", "senderId": "u1", "content": text, "type": kind,
            "timestamp": "1970-01-01T00:00:00.000Z",
        });
        prop_assert_eq!(heard, expected);
    }
}

/// Whatever is in a packet: it is a command, an unknown event, or malformed, and that can be said.
fn judge(packet: &str) {
    let dialects = Dialects::builtin();
    let Err(malformed) = dialects.decode("/", packet) else { return };
    assert!(matches!(malformed.refusal, Refusal::Invalid(_) | Refusal::UnknownEvent));
    let dialect = first(&dialects);
    let ack: Value = serde_json::from_str(dialect.refusal_ack(&malformed.refusal).get()).unwrap();
    let frame = dialect.refusal_event(malformed.event.as_deref(), &malformed.refusal);
    let event: Value = serde_json::from_str(frame.payload.get()).unwrap();
    assert_eq!(ack["error"]["message"], event["message"]);
}
