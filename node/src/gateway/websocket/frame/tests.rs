//! The codec against the specification, and against another implementation of it.

use proptest::prelude::*;
use tungstenite::Message;
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};

use super::*;
use crate::gateway::websocket::deflate;

const MESSAGE_MAX: usize = 100;

/// A frame as a client writes it.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    write(&mut frame, 0, payload);
    frame[0] = first;
    frame[1] |= MASKED;
    let header = frame.len() - payload.len();
    let mask = [0x12, 0x34, 0x56, 0xf8];
    frame.splice(header..header, mask);
    for (byte, key) in frame[header + 4..].iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
    frame
}

/// All that is heard, and how it ended.
fn heard(input: &[u8]) -> (Vec<Heard>, Option<CloseCode>) {
    heard_by(Decoder::new(MESSAGE_MAX, false), input)
}

fn heard_by(mut decoder: Decoder, mut input: &[u8]) -> (Vec<Heard>, Option<CloseCode>) {
    let mut all = Vec::new();
    loop {
        match decoder.decode(&mut input) {
            Ok(Some(Heard::Part)) => {}
            Ok(Some(heard)) => {
                let is_last = matches!(heard, Heard::Close(_));
                all.push(heard);
                if is_last {
                    return (all, None);
                }
            }
            Ok(None) => return (all, None),
            Err(code) => return (all, Some(code)),
        }
    }
}

/// First bytes and payloads.
type Frames<'a> = &'a [(u8, &'a [u8])];

fn check(frames: Frames<'_>, expected: &[Heard], end: Option<CloseCode>) {
    let bytes: Vec<u8> =
        frames.iter().flat_map(|(first, payload)| masked(*first, payload)).collect();
    let (all, code) = heard(&bytes);
    assert_eq!((&all[..], code), (expected, end), "{frames:?}");
}

fn text(text: &str) -> Heard {
    Heard::Text(text.to_owned())
}

#[test]
fn a_message_that_is_dropped_leaves_its_start_and_the_next_one_whole() {
    let mut decoder = Decoder::new(10_000, false);
    let first = masked(TEXT, &[b'a'; 3_000]);
    assert_eq!(decoder.decode(&mut first.as_slice()), Ok(None));
    assert_eq!(decoder.pending().len(), 3_000);
    decoder.drop_message();
    assert_eq!(decoder.pending(), b"");
    let ping = masked(FINAL | PING, b"p");
    assert_eq!(decoder.decode(&mut ping.as_slice()), Ok(Some(Heard::Ping(b"p".to_vec()))));
    let rest = [masked(CONTINUATION, &[b'b'; 9_000]), masked(FINAL, &[b'c'; 9_000])].concat();
    let dropped = Heard::Dropped(vec![b'a'; DROPPED_START_BYTES]);
    assert_eq!(decoder.decode(&mut rest.as_slice()), Ok(Some(dropped)));
    let next = masked(FINAL | TEXT, b"next");
    assert_eq!(decoder.decode(&mut next.as_slice()), Ok(Some(text("next"))));
}

#[test]
fn messages_are_put_together_with_control_frames_between_their_fragments() {
    check(&[(0x81, b"hello")], &[text("hello")], None);
    check(&[(0x81, b"")], &[text("")], None);
    let fragments: [(u8, &[u8]); 5] =
        [(0x01, b"a\xc3"), (0x89, b"p"), (0x00, b""), (0x8a, b"x"), (0x80, b"\xa9b")];
    check(&fragments, &[Heard::Ping(b"p".to_vec()), Heard::Pong, text("aéb")], None);
    check(&[(0x88, b"")], &[Heard::Close(None)], None);
    check(&[(0x88, b"\x03\xe8bye")], &[Heard::Close(Some(1000))], None);
}

#[test]
fn a_deflated_message_comes_in_fragments_with_control_frames_between_them() {
    let message = "one two three ".repeat(500);
    let deflated = deflate::shrink(message.as_bytes()).unwrap();
    let (start, end) = deflated.split_at(deflated.len() / 2);
    let frames: [(u8, &[u8]); 5] =
        [(0x41, start), (0x89, b"p"), (0x00, b""), (0x80, end), (0x81, b"plain")];
    let bytes = frames.map(|(first, payload)| masked(first, payload)).concat();
    let expected = [Heard::Ping(b"p".to_vec()), text(&message), text("plain")];
    for piece in [1, 7, bytes.len()] {
        let mut decoder = Decoder::new(message.len(), true);
        let mut all = Vec::new();
        for mut piece in bytes.chunks(piece) {
            while let Some(heard) = decoder.decode(&mut piece).unwrap() {
                all.push(heard);
            }
        }
        assert_eq!(all, expected);
    }
    let (all, end) = heard_by(Decoder::new(message.len() - 1, true), &bytes);
    assert_eq!((&all[..], end), (&expected[..1], Some(CloseCode::TooBig)));
}

#[test]
fn a_bomb_is_judged_before_it_has_grown() {
    let bomb = deflate::shrink(&vec![b'a'; 20_000_000]).unwrap();
    let frame = masked(FINAL | DEFLATED | TEXT, &bomb);
    let mut input = &frame[..];
    let mut decoder = Decoder::new(30_000_000, true);
    let mut before = 0;
    while decoder.decode(&mut input).unwrap() == Some(Heard::Part) {
        let grown = decoder.pending().len() - before;
        assert!(grown <= 1032 * DEFLATED_PART_BYTES + 1032, "{grown} at once");
        before += grown;
        if 1_000_000 < before {
            decoder.drop_message();
            break;
        }
    }
    let rest = decoder.decode(&mut input);
    assert_eq!(rest, Ok(Some(Heard::Dropped(vec![b'a'; DROPPED_START_BYTES]))));
    let next = masked(FINAL | TEXT, b"next");
    assert_eq!(decoder.decode(&mut next.as_slice()), Ok(Some(text("next"))));
}

#[test]
fn bytes_are_heard_only_while_they_are_expected() {
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let frames: [(u8, &[u8]); 4] = [(0x02, b"\xff"), (0x89, b""), (0x80, b"\x00"), (0xc2, &hello)];
    let bytes = frames.map(|(first, payload)| masked(first, payload)).concat();
    let mut decoder = Decoder::new(MESSAGE_MAX, true);
    decoder.expect_bytes(true);
    let expected = [
        Heard::Ping(Vec::new()),
        Heard::Bytes(b"\xff\x00".to_vec()),
        Heard::Bytes(b"Hello".to_vec()),
    ];
    assert_eq!(heard_by(decoder, &bytes), (expected.to_vec(), None));
    assert_eq!(heard_by(Decoder::new(MESSAGE_MAX, true), &bytes).1, Some(CloseCode::Unsupported));
}

#[test]
fn only_the_first_frame_of_a_message_says_that_it_is_deflated() {
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let ended = |frames: Frames<'_>| {
        let bytes = frames.iter().flat_map(|(first, it)| masked(*first, it)).collect::<Vec<u8>>();
        heard_by(Decoder::new(MESSAGE_MAX, true), &bytes)
    };
    assert_eq!(ended(&[(0xc1, &hello)]), (vec![text("Hello")], None));
    let broken: [(Frames<'_>, CloseCode); 7] = [
        (&[(0x41, &hello[..3]), (0xc0, &hello[3..])], CloseCode::Protocol),
        (&[(0x01, b"a"), (0xc0, &hello)], CloseCode::Protocol),
        (&[(0xc9, b"")], CloseCode::Protocol),
        (&[(0xe1, &hello)], CloseCode::Protocol),
        (&[(0xc2, &hello)], CloseCode::Unsupported),
        (&[(0xc1, &hello[..5])], CloseCode::NotUtf8),
        (&[(0xc1, b"")], CloseCode::NotUtf8),
    ];
    for (frames, code) in broken {
        assert_eq!(ended(frames), (vec![], Some(code)), "{frames:?}");
    }
}

#[test]
fn what_breaks_the_protocol_is_told_by_its_code() {
    let long = [b'x'; 126];
    let cases: [(Frames<'_>, CloseCode); 16] = [
        (&[(0x80, b"a")], CloseCode::Protocol),
        (&[(0x01, b"a"), (0x81, b"b")], CloseCode::Protocol),
        (&[(0x09, b"")], CloseCode::Protocol),
        (&[(0x89, &long)], CloseCode::Protocol),
        (&[(0xc1, b"a")], CloseCode::Protocol),
        (&[(0x91, b"a")], CloseCode::Protocol),
        (&[(0x83, b"a")], CloseCode::Protocol),
        (&[(0x8b, b"a")], CloseCode::Protocol),
        (&[(0x88, b"\x03")], CloseCode::Protocol),
        (&[(0x88, b"\x03\xed")], CloseCode::Protocol),
        (&[(0x88, b"\x03\xe8\xff")], CloseCode::NotUtf8),
        (&[(0x82, b"a")], CloseCode::Unsupported),
        (&[(0x81, b"\xff")], CloseCode::NotUtf8),
        (&[(0x01, b"\xc3"), (0x80, b"a")], CloseCode::NotUtf8),
        (&[(0x81, &long)], CloseCode::TooBig),
        (&[(0x01, &long[..60]), (0x80, &long[..60])], CloseCode::TooBig),
    ];
    for (frames, code) in cases {
        check(frames, &[], Some(code));
    }
    assert_eq!(heard(b"\x81\x01a").1, None, "the header of an unmasked frame is not whole");
    assert_eq!(heard(b"\x81\x01abcde").1, Some(CloseCode::Protocol));
}

#[test]
fn a_message_that_is_too_long_is_refused_by_its_header() {
    let huge = [&[0x81, 0xff][..], &u64::MAX.to_be_bytes(), &[0; 4]].concat();
    assert_eq!(heard(&huge).1, Some(CloseCode::TooBig));
}

#[test]
fn lengths_are_written_in_the_fewest_bytes() {
    for (len, header) in [
        (0, vec![0x81, 0]),
        (125, vec![0x81, 125]),
        (126, vec![0x81, 126, 0, 126]),
        (65_535, vec![0x81, 126, 255, 255]),
        (65_536, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
    ] {
        let mut frame = Vec::new();
        write_text(&mut frame, &"x".repeat(len));
        assert_eq!(frame[..header.len()], header);
        assert_eq!(frame.len(), header.len() + len);
    }
}

/// The other implementation's socket: reads what is left, and takes any answer.
struct Tape<'a>(&'a [u8]);

impl std::io::Read for Tape<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.0.is_empty() {
            return Err(std::io::ErrorKind::WouldBlock.into());
        }
        std::io::Read::read(&mut self.0, into)
    }
}

impl std::io::Write for Tape<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The texts that tungstenite finds, and whether it went through to the end or to a close.
fn texts_of_tungstenite(bytes: &[u8]) -> (Vec<String>, bool) {
    let config = WebSocketConfig::default().max_message_size(Some(MESSAGE_MAX));
    let mut other = WebSocketContext::new(Role::Server, Some(config));
    let (mut tape, mut texts) = (Tape(bytes), Vec::new());
    loop {
        match other.read(&mut tape) {
            Ok(Message::Text(text)) => texts.push(text.as_str().to_owned()),
            Ok(Message::Close(_)) => return (texts, true),
            Ok(Message::Binary(_)) => return (texts, false),
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
            Err(tungstenite::Error::Io(_)) => return (texts, true),
            Err(_broken) => return (texts, false),
        }
    }
}

fn frames() -> impl Strategy<Value = Vec<u8>> {
    let first = prop::sample::select(vec![0x81, 0x01, 0x00, 0x80, 0x89, 0x8a, 0x81, 0x81]);
    let payload = prop_oneof![
        "\\PC{0,12}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..60),
    ];
    let frame = (first, payload).prop_map(|(first, payload)| masked(first, &payload));
    prop::collection::vec(frame, 0..8).prop_map(|it| it.concat())
}

proptest! {
    #[test]
    fn texts_are_the_same_however_the_stream_is_cut(
        bytes in frames(),
        cuts in prop::collection::vec(1_usize..20, 1..10),
    ) {
        let (whole, end) = heard(&bytes);
        let (mut decoder, mut found, mut broken) = (Decoder::new(MESSAGE_MAX, false), Vec::new(), None);
        let mut rest = &bytes[..];
        'pieces: for cut in cuts.iter().cycle() {
            let (mut piece, later) = rest.split_at(rest.len().min(*cut));
            rest = later;
            loop {
                match decoder.decode(&mut piece) {
                    Ok(Some(heard)) => found.push(heard),
                    Ok(None) => break,
                    Err(code) => {
                        broken = Some(code);
                        break 'pieces;
                    }
                }
            }
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!((found, broken), (whole, end));
    }

    #[test]
    fn another_implementation_finds_the_same_texts(
        bytes in frames(),
        at in any::<prop::sample::Index>(),
        put in any::<Option<u8>>(),
    ) {
        let mut bytes = bytes;
        if let Some(put) = put && !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = put;
        }
        let (all, code) = heard(&bytes);
        let texts = all.into_iter().filter_map(|it| match it {
            Heard::Text(text) => Some(text),
            Heard::Bytes(_) | Heard::Part | Heard::Dropped(_) | Heard::Ping(_) | Heard::Pong | Heard::Close(_) => None,
        });
        let (theirs, is_whole) = texts_of_tungstenite(&bytes);
        let texts: Vec<String> = texts.collect();
        // It looks at a frame's reserved bits when all of it is there, and at the first byte of a
        // text that is not UTF-8 before its end: what one refuses early, the other has not yet.
        prop_assert!(texts.starts_with(&theirs) || theirs.starts_with(&texts));
        if is_whole && code.is_none() {
            prop_assert_eq!(texts, theirs);
        }
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _read = heard(&bytes);
    }

    #[test]
    fn what_is_written_for_a_client_is_what_it_reads(text in "\\PC{0,300}") {
        let mut bytes = Vec::new();
        write_text(&mut bytes, &text);
        let mut client = WebSocketContext::new(Role::Client, None);
        let read = client.read(&mut Tape(&bytes)).unwrap();
        prop_assert_eq!(read, Message::text(text));
    }
}
