//! Engine.IO 4 and Socket.IO 5 packets as text, for the main namespace and without attachments.
//!
//! Only tells packets apart; what an event means is the dialect's matter.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// What the server says first on a new transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Open {
    /// Milliseconds between two pings of the server.
    pub(crate) ping_interval: u64,
    /// Milliseconds after which a missing ping means that the server is gone.
    pub(crate) ping_timeout: u64,
}

/// What the answer to asking for a namespace may hold.
#[derive(Debug, Deserialize)]
struct Greeting<'a> {
    #[serde(borrow)]
    pid: Option<Cow<'a, str>>,
}

/// A packet from the server.
#[derive(Debug)]
pub(crate) enum Packet<'a> {
    Open(Open),
    Close,
    Ping,
    /// The namespace is connected, under this private name if connections can be recovered.
    Connected {
        pid: Option<Cow<'a, str>>,
    },
    /// The namespace is not to be had; the text is the server's own.
    ConnectError(&'a str),
    Disconnect,
    Event {
        name: Cow<'a, str>,
        arguments: Arguments<'a>,
    },
    Ack {
        id: u64,
        arguments: Arguments<'a>,
    },
    /// A packet that a client may leave alone (pong, upgrade, noop).
    Other,
}

/// The arguments of an event or acknowledgement, still as text; without the closing bracket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arguments<'a>(&'a str);

impl<'a> Arguments<'a> {
    /// The first argument; `None`: there is none, or it has another shape.
    pub(crate) fn first<T: Deserialize<'a>>(self) -> Option<T> {
        serde_json::Deserializer::from_str(self.0).into_iter::<T>().next()?.ok()
    }

    /// The last argument, if it is a text: the place of the event, where connections can be
    /// recovered.
    pub(crate) fn last_text(self) -> Option<String> {
        let text = self.0.trim_end();
        // Only whoever wants it pays for reading all of it.
        if !text.ends_with('"') {
            return None;
        }
        let array = format!("[{text}]");
        let all: Vec<&RawValue> = serde_json::from_str(&array).ok()?;
        serde_json::from_str(all.last()?.get()).ok()
    }
}

/// A text that is no packet.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a packet: {0:.80}")]
pub(crate) struct Malformed(String);

impl<'a> Packet<'a> {
    /// Reads one text frame.
    pub(crate) fn parse(text: &'a str) -> Result<Self, Malformed> {
        let malformed = || Malformed(text.to_owned());
        let mut kinds = text.bytes();
        match kinds.next().ok_or_else(malformed)? {
            b'0' => Ok(Self::Open(json(&text[1..]).ok_or_else(malformed)?)),
            b'1' => Ok(Self::Close),
            b'2' => Ok(Self::Ping),
            b'3' | b'5' | b'6' => Ok(Self::Other),
            b'4' => Self::message(&text[1..]).ok_or_else(malformed),
            _ => Err(malformed()),
        }
    }

    fn message(text: &'a str) -> Option<Self> {
        let rest = text.get(1..)?;
        match text.as_bytes()[0] {
            b'0' => Some(Self::Connected { pid: json::<Greeting<'_>>(rest).and_then(|it| it.pid) }),
            b'1' => Some(Self::Disconnect),
            b'2' => {
                let (_, arguments) = numbered(rest)?;
                let (name, arguments) = named(arguments)?;
                Some(Self::Event { name, arguments })
            }
            b'3' => {
                let (id, arguments) = numbered(rest)?;
                Some(Self::Ack { id: id?, arguments: Arguments(arguments) })
            }
            b'4' => Some(Self::ConnectError(rest)),
            _ => None,
        }
    }
}

fn json<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    serde_json::from_str(text).ok()
}

/// Splits `12["a",1]` into its number and what stands inside the brackets.
fn numbered(text: &str) -> Option<(Option<u64>, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let id = if digits == 0 { None } else { Some(text[..digits].parse().ok()?) };
    let inside = text[digits..].strip_prefix('[')?.strip_suffix(']')?;
    Some((id, inside))
}

/// Splits `"name",argument…`.
fn named(inside: &str) -> Option<(Cow<'_, str>, Arguments<'_>)> {
    let mut values = serde_json::Deserializer::from_str(inside).into_iter::<&RawValue>();
    let name = values.next()?.ok()?;
    let rest = &inside[values.byte_offset()..];
    let rest = rest.trim_start().strip_prefix(',').unwrap_or("");
    let name = name.get();
    // A name without escapes, which is every name there is, needs no copy.
    let plain = name.strip_prefix('"')?.strip_suffix('"')?;
    let name = if plain.contains('\\') {
        Cow::Owned(serde_json::from_str(name).ok()?)
    } else {
        Cow::Borrowed(plain)
    };
    Some((name, Arguments(rest)))
}

/// The answer to a ping.
pub(crate) const PONG: &str = "3";

/// What a lost connection leaves to the next one, as the official client keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trace {
    /// The connection's private name.
    pub(crate) pid: String,
    /// The last argument of the last event that ended in a text.
    pub(crate) offset: Option<String>,
}

/// Asks for the main namespace, and for what a lost connection has missed.
pub(crate) fn connect(token: &str, trace: Option<&Trace>) -> String {
    let mut auth = serde_json::json!({ "token": token });
    if let Some(trace) = trace {
        auth["pid"] = trace.pid.as_str().into();
        auth["offset"] = trace.offset.as_deref().into();
    }
    format!("40{auth}")
}

/// An event without an acknowledgement.
pub(crate) fn event(name: &str, argument: &str) -> String {
    format!("42[\"{name}\",{argument}]")
}

/// An event that asks for an acknowledgement.
pub(crate) fn asking_event(id: u64, name: &str, argument: &str) -> String {
    format!("42{id}[\"{name}\",{argument}]")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        match Packet::parse(text) {
            Err(error) => error.to_string(),
            Ok(Packet::Event { name, arguments }) => {
                format!("event {name} {:?}", arguments.first::<serde_json::Value>())
            }
            Ok(Packet::Ack { id, arguments }) => {
                format!("ack {id} {:?}", arguments.first::<serde_json::Value>())
            }
            Ok(other) => format!("{other:?}"),
        }
    }

    #[test]
    fn an_events_place_is_its_last_text() {
        let place = |text: &str| match Packet::parse(text) {
            Ok(Packet::Event { arguments, .. }) => arguments.last_text(),
            other => panic!("{other:?}"),
        };
        assert_eq!(place(r#"42["a",{"b":"c,\"]"},"o"]"#), Some("o".to_owned()));
        assert_eq!(place(r#"42["a",{"b":"c"}]"#), None);
        assert_eq!(place(r#"42["a"]"#), None);
        let pid = |text: &str| match Packet::parse(text) {
            Ok(Packet::Connected { pid }) => pid.map(Cow::into_owned),
            other => panic!("{other:?}"),
        };
        assert_eq!(pid(r#"40{"sid":"s","pid":"p"}"#), Some("p".to_owned()));
        assert_eq!(pid(r#"40{"sid":"s"}"#), None);
        assert_eq!(pid("40"), None);
    }

    #[test]
    fn packets_are_told_apart() {
        let open = r#"0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":60000}"#;
        let expected = "Open(Open { ping_interval: 25000, ping_timeout: 60000 })";
        assert_eq!(said(open), expected);
        assert_eq!(said("2"), "Ping");
        assert_eq!(said(r#"40{"sid":"y"}"#), "Connected { pid: None }");
        assert_eq!(said(r#"44{"message":"no"}"#), r#"ConnectError("{\"message\":\"no\"}")"#);
        assert_eq!(said("41"), "Disconnect");
        assert_eq!(said(r#"42["a"]"#), "event a None");
        assert_eq!(said(r#"4217["a",1,"offset"]"#), "event a Some(Number(1))");
        assert_eq!(said(r#"42["a\"b",[2],3]"#), r#"event a"b Some(Array [Number(2)])"#);
        assert_eq!(said(r#"437["x"]"#), r#"ack 7 Some(String("x"))"#);
        assert_eq!(said("438[]"), "ack 8 None");
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        for text in ["", "9", "4", "47", "0", "0{}", "42", "42[", "42[]", "43[]", "42[1]", "4é"] {
            assert!(Packet::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        assert_eq!(event("e", "{}"), r#"42["e",{}]"#);
        assert_eq!(asking_event(3, "e", "\"r\""), r#"423["e","r"]"#);
        assert_eq!(connect("t", None), r#"40{"token":"t"}"#);
        let trace = Trace { pid: "p".to_owned(), offset: Some("o".to_owned()) };
        assert_eq!(connect("t", Some(&trace)), r#"40{"offset":"o","pid":"p","token":"t"}"#);
    }
}
