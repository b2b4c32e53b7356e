//! permessage-deflate as a client meets it: what is agreed on, and what is read and written then.

use std::time::Duration;

use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::raw::frame;
use crate::server::Server;

const AGREED: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// What Chromium and Firefox offer.
const OFFER: &str = "permessage-deflate; client_max_window_bits";

/// A WebSocket without any library: its bytes are what is tested.
struct Wire {
    stream: TcpStream,
    agreed: Option<String>,
    read: Vec<u8>,
}

impl Wire {
    async fn open(server: &Server, offers: &[&str]) -> Self {
        let mut stream = TcpStream::connect(&server.address).await.unwrap();
        let mut request = format!(
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: {}\r\n\
             connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
            server.address,
        );
        for offer in offers {
            request += &format!("sec-websocket-extensions: {offer}\r\n");
        }
        stream.write_all(format!("{request}\r\n").as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let mut lines = head.lines().filter_map(|it| it.split_once(": "));
        let agreed = lines.find(|(name, _)| *name == "sec-websocket-extensions");
        Self { stream, agreed: agreed.map(|(_, it)| it.to_owned()), read: Vec::new() }
    }

    /// Connected to `/conversation`.
    async fn connected(server: &Server, offers: &[&str]) -> Self {
        let mut wire = Self::open(server, offers).await;
        assert!(wire.text().await.starts_with("0{"));
        wire.send(0x81, br#"40/conversation,{"token":"good"}"#).await;
        assert!(wire.text().await.starts_with("40/conversation,"));
        assert!(wire.text().await.contains("hello"));
        wire
    }

    async fn send(&mut self, first: u8, payload: &[u8]) {
        self.stream.write_all(&frame(first, payload)).await.unwrap();
    }

    async fn fill(&mut self, len: usize) {
        while self.read.len() < len {
            let read = timeout(Duration::from_secs(20), self.stream.read_buf(&mut self.read));
            assert_ne!(read.await.expect("bytes within 20 s").unwrap(), 0, "the end");
        }
    }

    /// The next frame: its first byte and its payload.
    async fn frame(&mut self) -> (u8, Vec<u8>) {
        self.fill(2).await;
        let (header, len) = match self.read[1] {
            126 => {
                self.fill(4).await;
                (4, usize::from(u16::from_be_bytes([self.read[2], self.read[3]])))
            }
            127 => {
                self.fill(10).await;
                (
                    10,
                    usize::try_from(u64::from_be_bytes(*self.read[2..].first_chunk().unwrap()))
                        .unwrap(),
                )
            }
            short => (2, usize::from(short)),
        };
        self.fill(header + len).await;
        let frame: Vec<u8> = self.read.drain(..header + len).collect();
        (frame[0], frame[header..].to_vec())
    }

    /// The next message, which is not deflated.
    async fn text(&mut self) -> String {
        let (first, payload) = self.frame().await;
        assert_eq!(first, 0x81);
        String::from_utf8(payload).unwrap()
    }

    async fn close_code(&mut self) -> u16 {
        loop {
            let (first, payload) = self.frame().await;
            if first == 0x88 {
                return u16::from_be_bytes([payload[0], payload[1]]);
            }
        }
    }
}

/// A message as a client deflates it, with a last block and the empty one that stands after it.
fn deflated(message: &[u8]) -> Vec<u8> {
    let mut deflated = compress_to_vec(message, 6);
    deflated.push(0);
    deflated
}

fn inflated(deflated: &[u8]) -> String {
    let whole = [deflated, &[0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff]].concat();
    String::from_utf8(decompress_to_vec(&whole).unwrap()).unwrap()
}

fn event(len: usize) -> String {
    format!(r#"42/conversation,["e","{}"]"#, "abcdefgh".repeat(len / 8))
}

fn echoed(event: &str) -> String {
    let (namespace, packet) = event.split_once(',').unwrap();
    format!(r#"{namespace},["echo",{packet}]"#)
}

#[tokio::test]
async fn what_can_be_done_is_agreed_on_and_odd_offers_are_passed_over() {
    let server = Server::echo().await;
    for (offers, expected) in [
        (&[OFFER][..], Some(AGREED)),
        (&["permessage-deflate"], Some(AGREED)),
        (&["x-unknown; a=b", OFFER], Some(AGREED)),
        (&["permessage-deflate; server_max_window_bits=9, permessage-deflate"], Some(AGREED)),
        (&["permessage-deflate; server_max_window_bits=9"], None),
        (&["permessage-deflate; server_no_context_takeover=\"maybe"], None),
        (&["permessage-deflate; mux, x-webkit-deflate-frame"], None),
        (&[";;;,,,==\"\""], None),
        (&[""], None),
        (&[], None),
    ] {
        let mut wire = Wire::open(&server, offers).await;
        assert_eq!(wire.agreed.as_deref(), expected, "{offers:?}");
        // Whatever was agreed on, what is not deflated is read.
        assert!(wire.text().await.starts_with("0{"));
        wire.send(0x81, br#"40/conversation,{"token":"good"}"#).await;
        assert!(wire.text().await.starts_with("40/conversation,"));
    }
}

#[tokio::test]
async fn messages_over_a_kilobyte_are_deflated_and_shorter_ones_are_not() {
    let server = Server::echo().await;
    let mut wire = Wire::connected(&server, &[OFFER]).await;
    for (len, first) in [(512, 0x81), (2_048, 0xc1), (500_000, 0xc1)] {
        // Deflated or not, long or short: the client decides how it writes.
        for sent_deflated in [true, false] {
            let event = event(len);
            if sent_deflated {
                wire.send(0xc1, &deflated(event.as_bytes())).await;
            } else {
                wire.send(0x81, event.as_bytes()).await;
            }
            let (found, payload) = wire.frame().await;
            assert_eq!(found, first, "{len}");
            if first == 0x81 {
                assert_eq!(String::from_utf8(payload).unwrap(), echoed(&event));
            } else {
                assert!(payload.len() < len / 10, "{} of {len}", payload.len());
                assert_eq!(inflated(&payload), echoed(&event));
            }
        }
    }
    // An acknowledgement too.
    let event = event(4_000).replace("42/conversation,", "42/conversation,7");
    wire.send(0x81, event.as_bytes()).await;
    let (first, payload) = wire.frame().await;
    assert_eq!(first, 0xc1);
    assert!(inflated(&payload).starts_with(r#"43/conversation,7[["e","abc"#));
}

#[tokio::test]
async fn nobody_hears_deflated_messages_who_did_not_ask_for_them() {
    let server = Server::echo().await;
    let mut wire = Wire::connected(&server, &[]).await;
    let event = event(4_000);
    wire.send(0x81, event.as_bytes()).await;
    assert_eq!(wire.text().await, echoed(&event));
    wire.send(0xc1, &deflated(event.as_bytes())).await;
    assert_eq!(wire.close_code().await, 1002);
}

#[tokio::test]
async fn bombs_and_broken_streams_are_closed_with_their_code() {
    let server = Server::echo().await;
    let bomb = |len: usize| {
        let event = format!(r#"42/conversation,["e","{}"]"#, "a".repeat(len));
        deflated(event.as_bytes())
    };
    let cut = |mut it: Vec<u8>| {
        it.truncate(it.len() / 2);
        it
    };
    for (payload, code) in [
        (bomb(2_000_000), 1009),
        (bomb(200_000_000), 1009),
        (cut(deflated(event(4_000).as_bytes())), 1007),
        (vec![0xff; 100], 1007),
        (deflated(b"42[\"\xff\"]"), 1007),
        (vec![], 1007),
    ] {
        let mut wire = Wire::connected(&server, &[OFFER]).await;
        wire.send(0xc1, &payload).await;
        assert_eq!(wire.close_code().await, code, "{} bytes", payload.len());
    }
    // A stranger's have less.
    let mut wire = Wire::open(&server, &[OFFER]).await;
    wire.send(0xc1, &deflated(format!("40{}", " ".repeat(100_000)).as_bytes())).await;
    assert_eq!(wire.close_code().await, 1009);
    server.sessions(0, Duration::from_secs(5)).await;
}

#[tokio::test]
async fn large_events_may_be_deflated_where_files_come_with_them() {
    let server = Server::echo().await;
    let mut wire = Wire::connected(&server, &[OFFER]).await;
    let event = format!(r#"42/conversation,3["files","{}"]"#, "abcdefgh".repeat(2_500_000));
    wire.send(0xc1, &deflated(event.as_bytes())).await;
    let len = event.len() - "42/conversation,3".len();
    assert_eq!(wire.text().await, format!("43/conversation,3[{len}]"));
}
