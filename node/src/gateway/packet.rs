//! The packets of Engine.IO 4 and Socket.IO 5 as a WebSocket carries them: one text each.

use serde_json::json;

use crate::dialect::Frame;
use crate::domain::recovery::Pid;
use crate::domain::refusal::Refusal;
use crate::gateway::binary::PARTS_MAX;
use crate::gateway::config::Heartbeat;
use crate::hub::outbox::AckId;

/// The namespace whose name packets leave out.
const ROOT: &str = "/";

/// Bytes in which an event's namespace, number and name stand.
pub(super) const HEAD_BYTES: usize = 1024;

/// The server's ping.
pub(super) const PING: &str = "2";

/// What a client says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packet<'a> {
    /// It has heard a ping.
    Pong,
    /// It goes.
    Close,
    /// It asks for a namespace.
    Connect {
        /// Which.
        namespace: &'a str,
        /// JSON that goes with it; not yet checked.
        payload: Option<&'a str>,
    },
    /// It leaves a namespace.
    Disconnect {
        /// Which.
        namespace: &'a str,
    },
    /// An event.
    Event {
        /// Where.
        namespace: &'a str,
        /// Where the answer goes, if it wants one.
        ack: Option<AckId>,
        /// The JSON array of the event's name and arguments; only its brackets are checked.
        packet: &'a str,
    },
    /// An event whose bytes come next, in messages of their own.
    Partial {
        /// Where.
        namespace: &'a str,
        /// Where the answer goes, if it wants one.
        ack: Option<AckId>,
        /// The JSON array of the event's name and arguments, with places for the bytes.
        packet: &'a str,
        /// How many messages of bytes come.
        parts: usize,
    },
    /// An answer. This node asks for none, so it is one to nothing.
    Answer,
}

/// The start of an event's packet that may not have come whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head<'a> {
    /// Where.
    pub(super) namespace: &'a str,
    /// Where the answer goes, if the client wants one.
    pub(super) ack: Option<AckId>,
    /// The begin of the JSON array.
    pub(super) packet: &'a str,
}

impl<'a> Head<'a> {
    /// Reads the first bytes of a packet; `None`: it is no event.
    #[must_use]
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let start = bytes.get(..HEAD_BYTES).unwrap_or(bytes);
        let text = start.utf8_chunks().next()?.valid().strip_prefix("42")?;
        let (namespace, rest) = split_namespace(text);
        let (ack, packet) = split_ack(rest).ok()?;
        Some(Self { namespace, ack, packet })
    }
}

/// It is no packet that a client may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed packet")]
pub(super) struct Malformed;

impl<'a> Packet<'a> {
    /// Reads a packet.
    ///
    /// # Errors
    /// It is none, or not a client's to send, or it announces too many parts of bytes.
    pub(super) fn parse(text: &'a str) -> Result<Self, Malformed> {
        match text.split_at_checked(1) {
            Some(("1", "")) => Ok(Self::Close),
            Some(("3", "")) => Ok(Self::Pong),
            Some(("4", message)) => Self::parse_message(message),
            _ => Err(Malformed),
        }
    }

    fn parse_message(text: &'a str) -> Result<Self, Malformed> {
        let (kind, rest) = text.split_at_checked(1).ok_or(Malformed)?;
        if kind == "5" {
            return Self::parse_partial(rest);
        }
        let (namespace, rest) = split_namespace(rest);
        match kind {
            "0" => Ok(Self::Connect { namespace, payload: Some(rest).filter(|it| !it.is_empty()) }),
            "1" if rest.is_empty() => Ok(Self::Disconnect { namespace }),
            "2" => {
                let (ack, packet) = split_ack(rest)?;
                if !is_array(packet) {
                    return Err(Malformed);
                }
                Ok(Self::Event { namespace, ack, packet })
            }
            "3" => match split_ack(rest)? {
                (Some(_), arguments) if is_array(arguments) => Ok(Self::Answer),
                _ => Err(Malformed),
            },
            _ => Err(Malformed),
        }
    }

    fn parse_partial(text: &'a str) -> Result<Self, Malformed> {
        let (parts, rest) = text.split_once('-').ok_or(Malformed)?;
        let is_number = parts.bytes().all(|it| it.is_ascii_digit());
        let parts = parts.parse().ok().filter(|it| is_number && (1..=PARTS_MAX).contains(it));
        let (namespace, rest) = split_namespace(rest);
        match (parts, split_ack(rest)?) {
            (Some(parts), (ack, packet)) if is_array(packet) => {
                Ok(Self::Partial { namespace, ack, packet, parts })
            }
            _ => Err(Malformed),
        }
    }
}

/// A namespace begins with a slash and ends with a comma, or with the packet.
fn split_namespace(text: &str) -> (&str, &str) {
    if !text.starts_with('/') {
        return (ROOT, text);
    }
    text.split_once(',').unwrap_or((text, ""))
}

fn split_ack(text: &str) -> Result<(Option<AckId>, &str), Malformed> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (id, rest) = text.split_at(digits);
    if id.is_empty() {
        return Ok((None, rest));
    }
    let Ok(id) = id.parse() else { return Err(Malformed) };
    Ok((Some(AckId(id)), rest))
}

fn is_array(text: &str) -> bool {
    text.starts_with('[') && text.ends_with(']')
}

/// The start of a message: its kind, and its namespace.
fn start(kind: &str, namespace: &str) -> String {
    if namespace == ROOT { format!("4{kind}") } else { format!("4{kind}{namespace},") }
}

/// The session's first packet.
#[must_use]
pub(super) fn open(session: &str, heartbeat: Heartbeat, payload_max: usize) -> String {
    let handshake = json!({
        "sid": session,
        "upgrades": [],
        "pingInterval": heartbeat.interval_ms,
        "pingTimeout": heartbeat.timeout_ms,
        "maxPayload": payload_max,
    });
    format!("0{handshake}")
}

/// The answer to a CONNECT that is granted, with the private name under which the client may come
/// back, if it may.
#[must_use]
pub(super) fn connected(namespace: &str, socket: &str, pid: Option<Pid>) -> String {
    let answer = match pid {
        Some(pid) => json!({ "sid": socket, "pid": pid.expose() }),
        None => json!({ "sid": socket }),
    };
    format!("{}{answer}", start("0", namespace))
}

/// The answer to a CONNECT that is not.
#[must_use]
pub(super) fn refused(namespace: &str, refusal: &Refusal) -> String {
    let error = json!({ "message": refusal.to_string(), "data": { "code": refusal.code() } });
    format!("{}{error}", start("4", namespace))
}

/// The answer to a CONNECT to a namespace that is not served; its text is the official server's.
#[must_use]
pub(super) fn unknown_namespace(namespace: &str) -> String {
    format!("{}{}", start("4", namespace), json!({ "message": "Invalid namespace" }))
}

/// The end of a namespace, after which the official client stays away.
#[must_use]
pub(super) fn disconnect(namespace: &str) -> String {
    start("1", namespace)
}

/// An event. One of a room carries its offset behind the payload. Clients take any text at the end
/// of an event for an offset, so nothing else ends in one.
#[must_use]
pub(super) fn event(namespace: &str, frame: &Frame) -> String {
    let (start, name, payload) = (start("2", namespace), json!(&*frame.event), frame.payload.get());
    match frame.offset {
        Some(offset) => format!("{start}[{name},{payload},\"{offset}\"]"),
        None if payload.starts_with('"') => format!("{start}[{name},{payload},null]"),
        None => format!("{start}[{name},{payload}]"),
    }
}

/// An answer.
#[must_use]
pub(super) fn ack(namespace: &str, id: AckId, payload: &str) -> String {
    format!("{}{}[{payload}]", start("3", namespace), id.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;
    use crate::domain::id::{MessageId, RoomId};
    use crate::domain::position::Position;
    use crate::domain::recovery::Offset;
    use crate::domain::time::Timestamp;

    fn check(text: &str, expected: Result<Packet<'_>, Malformed>) {
        assert_eq!(Packet::parse(text), expected, "{text}");
    }

    #[test]
    fn packets_are_read_as_the_specification_writes_them() {
        let root = "/";
        check("3", Ok(Packet::Pong));
        check("1", Ok(Packet::Close));
        check("40", Ok(Packet::Connect { namespace: root, payload: None }));
        check("40{}", Ok(Packet::Connect { namespace: root, payload: Some("{}") }));
        let namespace = "/chat";
        check("40/chat,", Ok(Packet::Connect { namespace, payload: None }));
        check("40/chat", Ok(Packet::Connect { namespace, payload: None }));
        check("40/chat,{}", Ok(Packet::Connect { namespace, payload: Some("{}") }));
        check("41/chat,", Ok(Packet::Disconnect { namespace }));
        let packet = r#"["a",{"b":[1]}]"#;
        let event = |namespace, ack: Option<i64>| {
            Ok(Packet::Event { namespace, ack: ack.map(AckId), packet })
        };
        check(r#"42["a",{"b":[1]}]"#, event(root, None));
        check(r#"420["a",{"b":[1]}]"#, event(root, Some(0)));
        check(r#"42/chat,["a",{"b":[1]}]"#, event(namespace, None));
        check(r#"42/chat,17["a",{"b":[1]}]"#, event(namespace, Some(17)));
        check("43/chat,1[]", Ok(Packet::Answer));
        let partial = |ack, parts| Ok(Packet::Partial { namespace, ack, packet, parts });
        check(r#"451-/chat,["a",{"b":[1]}]"#, partial(None, 1));
        check(r#"4510-/chat,17["a",{"b":[1]}]"#, partial(Some(AckId(17)), 10));
    }

    #[test]
    fn what_no_client_may_send_is_malformed() {
        let texts = [
            "",
            "0",
            "0{}",
            "2",
            "2probe",
            "5",
            "6",
            "7",
            "4",
            "999",
            "4999",
            "44{}",
            "45-[]",
            "450-[]",
            "45+1-[]",
            "4511-[\"a\"]",
            "451-",
            "451[\"a\"]",
            "é",
            "41x",
            "42",
            "42{}",
            "42\"a\"",
            "4é",
            "4299999999999999999999[\"a\"]",
            "43[]",
            "421",
            "46-[]",
            "bAAAA",
            "42[\"a\"",
            "42/chat[\"a\"]",
            "2[\"connect\"]",
        ];
        for text in texts {
            check(text, Err(Malformed));
        }
    }

    #[test]
    fn packets_are_written_as_the_specification_reads_them() {
        let payload = RawValue::from_string(r#"{"a":1}"#.to_owned()).unwrap();
        let frame = Frame::new("say \"hi\"".into(), payload);
        assert_eq!(event("/", &frame), r#"42["say \"hi\"",{"a":1}]"#);
        assert_eq!(event("/chat", &frame), r#"42/chat,["say \"hi\"",{"a":1}]"#);
        assert_eq!(ack("/chat", AckId(7), "1"), "43/chat,7[1]");
        assert_eq!(disconnect("/"), "41");
        assert_eq!(disconnect("/chat"), "41/chat,");
        assert_eq!(connected("/", "x", None), r#"40{"sid":"x"}"#);
        let pid = Pid::random();
        let with_pid = format!(r#"40/chat,{{"pid":"{}","sid":"x"}}"#, pid.expose());
        assert_eq!(connected("/chat", "x", Some(pid)), with_pid);
        let required =
            r#"44/chat,{"data":{"code":"AUTH_REQUIRED"},"message":"Authentication required"}"#;
        assert_eq!(refused("/chat", &Refusal::AuthRequired), required);
    }

    #[test]
    fn only_an_event_of_a_room_ends_in_a_text() {
        let frame =
            |json: &str| Frame::new("e".into(), RawValue::from_string(json.to_owned()).unwrap());
        assert_eq!(event("/", &frame("\"text\"")), r#"42["e","text",null]"#);
        let room = RoomId::parse("r").unwrap();
        let id = MessageId::new(&room, Position::new(7, 9));
        let offset = Offset { event: id, at: Timestamp(5) };
        let expected = format!(r#"42["e",[1],"{offset}"]"#);
        assert_eq!(event("/", &frame("[1]").at(offset)), expected);
    }

    #[test]
    fn the_head_of_an_event_is_read_wherever_it_is_cut() {
        let head = |bytes: &[u8]| {
            Head::parse(bytes).map(|it| format!("{} {:?} {}", it.namespace, it.ack, it.packet))
        };
        let whole = r#"42/ticket,17["send_message",{"message":"é"#;
        let expected = r#"/ticket Some(AckId(17)) ["send_message",{"message":""#;
        assert_eq!(head(&whole.as_bytes()[..whole.len() - 1]).as_deref(), Some(expected));
        assert_eq!(head(b"42[\"a").as_deref(), Some("/ None [\"a"));
        for other in [b"".as_slice(), b"3", b"40/ticket,{}", b"43/ticket,1[", b"\xff42[", b"451-["]
        {
            assert_eq!(head(other), None);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_harm(text in "\\PC{0,40}") {
            let _read = Packet::parse(&text).is_ok();
        }

        #[test]
        fn a_perturbed_packet_is_read_without_harm(at in 0_usize..24, put in ".?") {
            let good = r#"42/chat,12["é",{"a":[1]}]"#;
            let chars: Vec<char> = good.chars().collect();
            let (before, after) = chars.split_at(at);
            let text: String =
                before.iter().copied().chain(put.chars()).chain(after[1..].iter().copied()).collect();
            let _read = Packet::parse(&text).is_ok();
        }
    }
}
