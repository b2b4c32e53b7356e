//! Packets of Engine.IO 4 and Socket.IO 5 in text form, from the protocols' public specification.

use serde_json::Value;

/// What a server may send.
#[derive(Debug, PartialEq)]
pub(crate) enum Packet {
    Open(Value),
    Close,
    /// To be answered by a pong with the same text.
    Ping(String),
    Noop,
    Connected(Value),
    ConnectRefused(Value),
    Disconnected,
    Event {
        name: String,
        argument: Value,
    },
    Ack {
        id: u64,
        argument: Value,
    },
}

impl Packet {
    /// Understands a packet that came on a connection with one namespace.
    pub(crate) fn parse(text: &str, namespace: &str) -> Option<Self> {
        let mut chars = text.chars();
        let kind = chars.next()?;
        let rest = chars.as_str();
        match kind {
            '0' => Some(Self::Open(serde_json::from_str(rest).ok()?)),
            '1' => Some(Self::Close),
            '2' => Some(Self::Ping(rest.to_owned())),
            '6' => Some(Self::Noop),
            '4' => Self::message(rest, namespace),
            _ => None,
        }
    }

    fn message(text: &str, namespace: &str) -> Option<Self> {
        let mut chars = text.chars();
        let kind = chars.next()?;
        let mut rest = chars.as_str();
        if namespace != "/" {
            rest = rest.strip_prefix(namespace)?;
            rest = rest.strip_prefix(',').unwrap_or(rest);
        }
        let digits = rest.find(|it: char| !it.is_ascii_digit()).unwrap_or(rest.len());
        let (id, body) = rest.split_at(digits);
        let value = || match body {
            "" => Some(Value::Null),
            _ => serde_json::from_str(body).ok(),
        };
        match kind {
            '0' => Some(Self::Connected(value()?)),
            '1' => Some(Self::Disconnected),
            '2' => {
                let arguments = value()?;
                let name = arguments.get(0)?.as_str()?.to_owned();
                Some(Self::Event { name, argument: arguments.get(1).cloned().unwrap_or_default() })
            }
            '3' => {
                let argument = value()?.get(0).cloned().unwrap_or_default();
                Some(Self::Ack { id: id.parse().ok()?, argument })
            }
            '4' => Some(Self::ConnectRefused(value()?)),
            _ => None,
        }
    }
}

/// A Socket.IO packet of `kind` as Engine.IO carries it.
pub(crate) fn message(kind: char, namespace: &str, rest: &str) -> String {
    match namespace {
        "/" => format!("4{kind}{rest}"),
        _ => format!("4{kind}{namespace},{rest}"),
    }
}

#[test]
fn packets_are_read_as_the_specification_writes_them() {
    use serde_json::json;

    let event = |name: &str, argument| Packet::Event { name: name.to_owned(), argument };
    let cases = [
        ("0{\"sid\":\"a\"}", "/", Packet::Open(json!({"sid": "a"}))),
        ("2probe", "/", Packet::Ping("probe".to_owned())),
        ("40{\"sid\":\"b\"}", "/", Packet::Connected(json!({"sid": "b"}))),
        ("40/chat,{\"sid\":\"b\"}", "/chat", Packet::Connected(json!({"sid": "b"}))),
        ("44{\"message\":\"no\"}", "/", Packet::ConnectRefused(json!({"message": "no"}))),
        ("41", "/", Packet::Disconnected),
        ("41/chat,", "/chat", Packet::Disconnected),
        ("42[\"hi\",{\"a\":1}]", "/", event("hi", json!({"a": 1}))),
        ("42/chat,[\"hi\"]", "/chat", event("hi", Value::Null)),
        ("4312[{\"ok\":true}]", "/", Packet::Ack { id: 12, argument: json!({"ok": true}) }),
        ("43/chat,7[1]", "/chat", Packet::Ack { id: 7, argument: json!(1) }),
    ];
    for (text, namespace, packet) in cases {
        assert_eq!(Packet::parse(text, namespace), Some(packet), "{text}");
    }
    assert_eq!(message('2', "/", "[\"hi\"]"), "42[\"hi\"]");
    assert_eq!(message('0', "/chat", "{}"), "40/chat,{}");
}
