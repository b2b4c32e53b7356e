//! Bytes that stay what they are, and whatever was written is read again.

use proptest::prelude::*;

use super::*;
use crate::domain::attachment::{Attachment, BlobId};
use crate::domain::id::{ClientMessageId, ConnId, MessageId, NodeLife};
use crate::domain::message::Message;
use crate::domain::presence::Status;
use crate::domain::revoked::Revoked;
use crate::domain::role::{FullName, Participant, Role};
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
        rmp_serde::to_vec(&(version, 1_700_000_000_001_u64, 7, 5, 1_700_000_000_002_u64)).unwrap();
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
    let user =
        Participant { id: id("bob"), name: "Bob".to_owned(), role: Role::User, full_name: None };
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
        (Signal::Notification { data: "1".to_owned() }, r#"\x81\xacNotification\x81\xa4data\xa11"#),
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

/// Events of every kind. A new kind has to be thought of here: the match has no other arm.
fn events() -> impl Strategy<Value = Event> {
    let parts = (0..KINDS, ".{0,200}", any::<Option<String>>(), any::<(u64, u64)>());
    parts.prop_map(|(kind, text, word, (epoch, seq))| {
        let message = MessageId::new(&room(), Position::new(epoch, seq));
        let somebody = |name: String| Participant {
            id: id("bob"),
            name,
            role: Role::Volunteer,
            full_name: Some(Box::new(FullName { given: "B".to_owned(), family: text.clone() })),
        };
        match kind {
            0 => posted(&text),
            1 => with_a_file(),
            2 => Event::RoomUpdated { metadata: text },
            3 => Event::RoomClosed { by: word.clone().map(somebody), reason: word },
            4 => Event::RoomReopened,
            5 => Event::RoomDeleted,
            6 => Event::AccessChanged { user: word.map(|_| id("bob")) },
            7 => Event::MessageEdited { message, text },
            8 => Event::MessageDeleted { message },
            _ => Event::Erased,
        }
    })
}

/// As many as [`kind_of`] and files make.
const KINDS: u8 = 10;

fn kind_of(event: &Event) -> u8 {
    match event {
        Event::MessagePosted(message) => u8::from(!message.attachments.is_empty()),
        Event::RoomUpdated { .. } => 2,
        Event::RoomClosed { .. } => 3,
        Event::RoomReopened => 4,
        Event::RoomDeleted => 5,
        Event::AccessChanged { .. } => 6,
        Event::MessageEdited { .. } => 7,
        Event::MessageDeleted { .. } => 8,
        Event::Erased => 9,
    }
}

proptest! {
    #[test]
    fn whatever_was_written_is_read_again(event in events(), of_origin: bool) {
        prop_assert!(kind_of(&event) < KINDS);
        let origin = of_origin.then(origin);
        let body = encode_body(origin.as_ref(), &event).unwrap();
        let entry = decode_record(&room(), &record(1, &body)).unwrap();
        prop_assert_eq!((entry.origin.clone(), entry.event.clone()), (origin, event));
    }

    #[test]
    fn damaged_bytes_are_an_error_and_no_panic(
        event in events(),
        cut in 0_usize..400,
        at in 0_usize..400,
        byte: u8,
    ) {
        let mut record = record(1, &encode_body(Some(&origin()), &event).unwrap());
        if let Some(target) = record.get_mut(at) {
            *target = byte;
        }
        record.truncate(cut);
        drop(decode_record(&room(), &record));
        drop(decode_frame(&record));
    }
}
