//! Bytes of the log and of inboxes: versioned MessagePack.
//!
//! A record is a header that the publishing script packs (it alone knows the place and the time)
//! and a body that the node packs. Bodies are maps with named fields, so a node passes over fields
//! that a newer one has added; a change that an older node cannot read raises the version.

use std::sync::Arc;

use rmp_serde::Deserializer;
use rmp_serde::decode::Error;
use serde::{Deserialize, Serialize};
use serde_bytes::Bytes;

use crate::domain::event::{Entry, Event, Origin, SharedEntry};
use crate::domain::id::{RoomId, UserId};
use crate::domain::position::Position;
use crate::domain::presence::Presence;
use crate::domain::revoked::Revocation;
use crate::domain::signal::Signal;
use crate::domain::time::Timestamp;
use crate::domain::topic::Topic;
use crate::store::Arrival;
use crate::store::revocations::revocation;

/// Version of records and frames that this node writes and reads.
const VERSION: u8 = 1;

/// Why bytes from Redis cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CodecError {
    /// Written by a release that this one does not know.
    #[error("version {0} is not known here, only version {VERSION}")]
    Version(u8),
    /// Neither a token nor a user.
    #[error("what is revoked is neither a token nor a user")]
    Revocation,
    /// Not what it should be.
    #[error("malformed: {0}")]
    Malformed(#[from] Error),
}

/// What the node knows of an entry before Redis gives it a place.
#[derive(Serialize)]
struct NewBody<'a> {
    origin: Option<&'a Origin>,
    event: &'a Event,
}

#[derive(Deserialize)]
struct Body {
    origin: Option<Origin>,
    event: Event,
}

/// `[version, epoch, seq, nth, milliseconds]`
type RecordHeader = (u8, u64, u64, u64, u64);

/// `[version, generation, count, beat, items]`
type FrameHeader = (u8, u64, u64, u64, u32);

/// What a frame carries; names as the prelude of scripts writes them.
#[derive(Deserialize)]
enum Item<'a> {
    #[serde(rename = "e")]
    Entry(RoomId, #[serde(borrow)] &'a Bytes),
    #[serde(rename = "r")]
    RoomSignal(RoomId, #[serde(borrow)] &'a Bytes),
    #[serde(rename = "u")]
    UserSignal(UserId, #[serde(borrow)] &'a Bytes),
    #[serde(rename = "p")]
    Presence(Presence),
    #[serde(rename = "x")]
    Revoked(String, u64),
}

/// One publication to this node's inbox.
#[derive(Debug)]
pub(crate) struct Frame {
    /// Generation of the shard that published it.
    pub(crate) generation: u64,
    /// Number of frames published to this inbox: up to and with this one, or up to a beat.
    pub(crate) count: u64,
    /// Number of the beat that caused it; 0: no beat.
    pub(crate) beat: u64,
    /// What happened, in order.
    pub(crate) arrivals: Vec<Arrival>,
    /// What was taken back.
    pub(crate) revoked: Vec<Revocation>,
}

/// The body of a record.
pub(crate) fn encode_body(origin: Option<&Origin>, event: &Event) -> Result<Vec<u8>, EncodeError> {
    rmp_serde::to_vec_named(&NewBody { origin, event })
}

/// A signal as frames carry it.
pub(crate) fn encode_signal(signal: &Signal) -> Result<Vec<u8>, EncodeError> {
    rmp_serde::to_vec_named(signal)
}

/// Writing to memory fails only for values that MessagePack has no form for.
pub(crate) type EncodeError = rmp_serde::encode::Error;

/// Reads a record of `room`'s log.
pub(crate) fn decode_record(room: &RoomId, record: &[u8]) -> Result<SharedEntry, CodecError> {
    let mut reader = Deserializer::from_read_ref(record);
    let (version, epoch, seq, nth, at) = RecordHeader::deserialize(&mut reader)?;
    known(version)?;
    let Body { origin, event } = Body::deserialize(&mut reader)?;
    let position = Position::new(epoch, seq);
    Ok(Arc::new(Entry { room: room.clone(), position, nth, at: Timestamp(at), origin, event }))
}

/// Reads a frame. One item that cannot be read spoils the frame: the reader repairs from the log.
pub(crate) fn decode_frame(frame: &[u8]) -> Result<Frame, CodecError> {
    let mut reader = Deserializer::from_read_ref(frame);
    let (version, generation, count, beat, items) = FrameHeader::deserialize(&mut reader)?;
    known(version)?;
    let (mut arrivals, mut revoked) = (Vec::new(), Vec::new());
    for _ in 0..items {
        arrivals.push(match Item::deserialize(&mut reader)? {
            Item::Entry(room, record) => Arrival::Entry(decode_record(&room, record)?),
            Item::RoomSignal(room, signal) => {
                Arrival::Signal(Topic::Room(room), rmp_serde::from_slice(signal)?)
            }
            Item::UserSignal(user, signal) => {
                Arrival::Signal(Topic::User(user), rmp_serde::from_slice(signal)?)
            }
            Item::Presence(presence) => Arrival::Presence(presence),
            Item::Revoked(what, at) => {
                revoked.push(revocation(&what, at).ok_or(CodecError::Revocation)?);
                continue;
            }
        });
    }
    Ok(Frame { generation, count, beat, arrivals, revoked })
}

fn known(version: u8) -> Result<(), CodecError> {
    if version == VERSION { Ok(()) } else { Err(CodecError::Version(version)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::attachment::{Attachment, BlobId};
    use crate::domain::id::{ClientMessageId, ConnId, MessageId, NodeLife};
    use crate::domain::message::Message;
    use crate::domain::presence::Status;
    use crate::domain::revoked::Revoked;
    use crate::domain::role::{Participant, Role};
    use crate::domain::trace::TraceParent;

    fn room() -> RoomId {
        RoomId::parse("conv-1").unwrap()
    }

    fn posted(text: &str) -> Event {
        Event::MessagePosted(Message {
            sender: Participant {
                id: id("alice"),
                name: "Alice".to_owned(),
                role: Role::Agent,
                full_name: None,
            },
            text: text.to_owned(),
            kind: "text".to_owned(),
            client_message_id: Some(ClientMessageId::parse("c-1").unwrap()),
            attachments: Vec::new(),
        })
    }

    fn with_a_file() -> Event {
        let Event::MessagePosted(mut message) = posted("") else { unreachable!() };
        message.attachments.push(Attachment {
            id: BlobId::parse("67e55044-10b1-426f-9247-bb680e5fe0c8").unwrap(),
            name: "a.pdf".to_owned(),
            media_type: "application/pdf".to_owned(),
            size: 300,
        });
        Event::MessagePosted(message)
    }

    fn origin() -> Origin {
        let node = NodeLife { index: 3, incarnation: 1_700_000_000_000 };
        Origin { node, conn: ConnId(9), request: Some("r-1".to_owned()), trace: None }
    }

    fn record(version: u8, body: &[u8]) -> Vec<u8> {
        let mut record =
            rmp_serde::to_vec(&(version, 1_700_000_000_001_u64, 7, 5, 1_700_000_000_002_u64))
                .unwrap();
        record.extend_from_slice(body);
        record
    }

    fn id(name: &str) -> UserId {
        UserId::parse(name).unwrap()
    }

    /// What scripts pack: bytes of any kind as MessagePack text.
    fn item(name: &str, id: &str, bytes: &[u8]) -> Vec<u8> {
        let mut item = rmp_serde::to_vec(&std::collections::BTreeMap::from([(name, 0)])).unwrap();
        item.pop();
        item.push(0x92);
        item.extend(rmp_serde::to_vec(id).unwrap());
        item.push(0xdb);
        item.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
        item.extend_from_slice(bytes);
        item
    }

    /// Bytes that releases have written, which must stay readable: change nothing here.
    #[test]
    fn the_bytes_of_bodies_and_signals_stay_what_they_are() {
        let closed = Event::RoomClosed { by: None, reason: Some("done".to_owned()) };
        for (event, bytes) in [
            (
                posted("hi"),
                r#"\x82\xa6origin\x83\xa4node\x82\xa5index\x03\xabincarnation\xcf\x00\x00\x01\x8b\xcf\xe5h\x00\xa4conn\t\xa7request\xa3r-1\xa5event\x81\xadMessagePosted\x84\xa6sender\x83\xa2id\xa5alice\xa4name\xa5Alice\xa4role\xa5agent\xa4text\xa2hi\xa4kind\xa4text\xb1client_message_id\xa3c-1"#,
            ),
            (
                with_a_file(),
                r#"\x82\xa6origin\x83\xa4node\x82\xa5index\x03\xabincarnation\xcf\x00\x00\x01\x8b\xcf\xe5h\x00\xa4conn\t\xa7request\xa3r-1\xa5event\x81\xadMessagePosted\x85\xa6sender\x83\xa2id\xa5alice\xa4name\xa5Alice\xa4role\xa5agent\xa4text\xa0\xa4kind\xa4text\xb1client_message_id\xa3c-1\xabattachments\x91\x84\xa2id\xc4\x10g\xe5PD\x10\xb1Bo\x92G\xbbh\x0e_\xe0\xc8\xa4name\xa5a.pdf\xaamedia_type\xafapplication/pdf\xa4size\xcd\x01,"#,
            ),
            (
                Event::RoomUpdated { metadata: "{}".to_owned() },
                r#"\x82\xa6origin\xc0\xa5event\x81\xabRoomUpdated\x81\xa8metadata\xa2{}"#,
            ),
            (
                closed,
                r#"\x82\xa6origin\xc0\xa5event\x81\xaaRoomClosed\x82\xa2by\xc0\xa6reason\xa4done"#,
            ),
            (Event::RoomDeleted, r#"\x82\xa6origin\xc0\xa5event\xabRoomDeleted"#),
        ] {
            let origin = event.is_message().then(origin);
            let body = encode_body(origin.as_ref(), &event).unwrap();
            assert_eq!(body.escape_ascii().to_string(), bytes);
        }
        let user = Participant {
            id: id("bob"),
            name: "Bob".to_owned(),
            role: Role::User,
            full_name: None,
        };
        let messages = vec![MessageId::new(&room(), Position::new(1, 2))];
        for (signal, bytes) in [
            (
                Signal::Typing { typists: vec![(user.clone(), origin())] },
                r#"\x81\xa6Typing\x81\xa7typists\x91\x92\x83\xa2id\xa3bob\xa4name\xa3Bob\xa4role\xa4user\x83\xa4node\x82\xa5index\x03\xabincarnation\xcf\x00\x00\x01\x8b\xcf\xe5h\x00\xa4conn\t\xa7request\xa3r-1"#,
            ),
            (Signal::Stopped { user: id("bob") }, r#"\x81\xa7Stopped\x81\xa4user\xa3bob"#),
            (
                Signal::Raised { room: room(), at: Timestamp(5), except: Vec::new() },
                r#"\x81\xa6Raised\x82\xa4room\xa6conv-1\xa2at\x05"#,
            ),
            (
                Signal::Entered { user },
                r#"\x81\xa7Entered\x81\xa4user\x83\xa2id\xa3bob\xa4name\xa3Bob\xa4role\xa4user"#,
            ),
            (Signal::Left { user: id("bob") }, r#"\x81\xa4Left\x81\xa4user\xa3bob"#),
            (
                Signal::Delivered { messages: messages.clone() },
                r#"\x81\xa9Delivered\x81\xa8messages\x91\xc4\x10\x00\x00\x00\x00\x00\x10\x80\x00\x80\x00\x00\x8b\xf6U\xae\xad"#,
            ),
            (
                Signal::Read { reader: id("bob"), messages },
                r#"\x81\xa4Read\x82\xa6reader\xa3bob\xa8messages\x91\xc4\x10\x00\x00\x00\x00\x00\x10\x80\x00\x80\x00\x00\x8b\xf6U\xae\xad"#,
            ),
            (
                Signal::Notification { data: "1".to_owned() },
                r#"\x81\xacNotification\x81\xa4data\xa11"#,
            ),
            (
                Signal::Asked { question: uuid::Uuid::nil() },
                r#"\x81\xa5Asked\x81\xa8question\xc4\x10\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"#,
            ),
            (Signal::Spread { nodes: 2 }, r#"\x81\xa6Spread\x81\xa5nodes\x02"#),
        ] {
            assert_eq!(encode_signal(&signal).unwrap().escape_ascii().to_string(), bytes);
        }
    }

    #[test]
    fn a_kept_trace_goes_along_and_is_nothing_to_nodes_without_it() {
        #[derive(Deserialize)]
        struct Earlier {
            node: NodeLife,
        }
        let trace = TraceParent { trace: [7; 16], span: [9; 8] };
        let traced = Origin { trace: Some(trace), ..origin() };
        let bytes = rmp_serde::to_vec_named(&traced).unwrap();
        let plain = rmp_serde::to_vec_named(&origin()).unwrap();
        let (count, rest) = plain.split_first().unwrap();
        let tail = [&b"\xa5trace\xc4\x18"[..], &[7; 16], &[9; 8]].concat();
        assert_eq!(bytes, [&[count + 1], rest, &tail].concat());
        assert_eq!(rmp_serde::from_slice::<Origin>(&bytes).unwrap(), traced);
        assert_eq!(rmp_serde::from_slice::<Earlier>(&bytes).unwrap().node, traced.node);
        assert_eq!(rmp_serde::from_slice::<Origin>(&plain).unwrap(), origin());
    }

    #[test]
    fn an_unknown_version_is_named() {
        let body = encode_body(None, &Event::RoomDeleted).unwrap();
        assert!(decode_record(&room(), &record(1, &body)).is_ok());
        let error = decode_record(&room(), &record(2, &body)).unwrap_err().to_string();
        assert_eq!(error, "version 2 is not known here, only version 1");
        let frame = rmp_serde::to_vec(&(9, 0, 0, 0, 0)).unwrap();
        assert!(matches!(decode_frame(&frame), Err(CodecError::Version(9))));
    }

    #[test]
    fn a_field_that_a_newer_node_adds_is_passed_over() {
        #[derive(Serialize)]
        struct Newer {
            origin: Option<Origin>,
            event: Event,
            mood: &'static str,
        }
        let newer = Newer { origin: None, event: Event::RoomDeleted, mood: "merry" };
        let body = rmp_serde::to_vec_named(&newer).unwrap();
        let entry = decode_record(&room(), &record(1, &body)).unwrap();
        assert_eq!(entry.event, Event::RoomDeleted);
    }

    #[test]
    fn a_frame_carries_every_kind_of_item_in_order() {
        let stored = record(1, &encode_body(Some(&origin()), &posted("hi")).unwrap());
        let signal = encode_signal(&Signal::Spread { nodes: 2 }).unwrap();
        let mut frame = rmp_serde::to_vec(&(1, 5, 8, 0, 5)).unwrap();
        frame.extend(item("e", "conv-1", &stored));
        frame.extend(item("r", "conv-1", &signal));
        frame.extend(item("u", "alice", &signal));
        let seen = std::collections::BTreeMap::from([("p", ("alice", 7, "away"))]);
        frame.extend(rmp_serde::to_vec(&seen).unwrap());
        let ended = std::collections::BTreeMap::from([("x", ("u alice", 9))]);
        frame.extend(rmp_serde::to_vec(&ended).unwrap());

        let frame = decode_frame(&frame).unwrap();
        assert_eq!((frame.generation, frame.count, frame.beat), (5, 8, 0));
        let [Arrival::Entry(entry), of_room, of_user, Arrival::Presence(presence)] =
            &frame.arrivals[..]
        else {
            panic!("{:?}", frame.arrivals)
        };
        assert_eq!((entry.position, entry.nth), (Position::new(1_700_000_000_001, 7), 5));
        assert_eq!((entry.origin.clone(), entry.event.clone()), (Some(origin()), posted("hi")));
        assert!(matches!(of_room, Arrival::Signal(Topic::Room(_), Signal::Spread { nodes: 2 })));
        assert!(matches!(of_user, Arrival::Signal(Topic::User(_), Signal::Spread { nodes: 2 })));
        assert_eq!(*presence, Presence { user: id("alice"), version: 7, status: Status::Away });
        let ended = Revocation { what: Revoked::User(id("alice")), at: Timestamp(9) };
        assert_eq!(frame.revoked, [ended]);
    }

    proptest! {
        #[test]
        fn whatever_was_written_is_read_again(text in ".{0,200}", of_file: bool, of_origin: bool) {
            let event = if of_file { with_a_file() } else { posted(&text) };
            let origin = of_origin.then(origin);
            let body = encode_body(origin.as_ref(), &event).unwrap();
            let entry = decode_record(&room(), &record(1, &body)).unwrap();
            prop_assert_eq!((entry.origin.clone(), entry.event.clone()), (origin, event));
        }

        #[test]
        fn damaged_bytes_are_an_error_and_no_panic(cut in 0_usize..120, at in 0_usize..120, byte: u8) {
            let mut record = record(1, &encode_body(Some(&origin()), &posted("hi")).unwrap());
            if let Some(target) = record.get_mut(at) {
                *target = byte;
            }
            record.truncate(cut);
            drop(decode_record(&room(), &record));
            drop(decode_frame(&record));
        }
    }
}
