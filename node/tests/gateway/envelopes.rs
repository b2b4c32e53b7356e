//! WebSockets of their own: how they are opened, what they carry, and how they end.

use std::time::Duration;

use parlance::domain::close::CloseReason;
use parlance::session::peer::Peer;
use tokio_tungstenite::tungstenite::Message;

use crate::raw::{RawClient, broken_frames, frame, get, status};
use crate::server::{Server, echo};

const HELLO: &str = r#"{"type":"hello","payload":{"known":false}}"#;

async fn open(server: &Server, path: &str) -> RawClient {
    let mut client = RawClient::at(&server.address, path, &[]).await;
    assert_eq!(client.next().await.unwrap(), HELLO);
    client
}

/// What the session says to `text`.
fn echoed(text: &str) -> String {
    format!(r#"{{"type":"echo","payload":{text}}}"#)
}

#[tokio::test]
async fn a_path_of_its_own_and_that_of_a_page_are_upgraded_and_the_page_stays() {
    let server = Server::echo().await;
    for path in ["/ws", "/page"] {
        let mut client = open(&server, path).await;
        client.send(r#"{"type":"A"}"#).await;
        assert_eq!(client.next().await.unwrap(), echoed(r#"{"type":"A"}"#));
    }
    assert!(get(&server.address, "/page", &[]).await.ends_with("a page"));
    assert_eq!(status(&get(&server.address, "/ws", &[]).await), 426);
    let upgrade = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-version", "13"),
    ];
    assert_eq!(status(&get(&server.address, "/elsewhere", &upgrade).await), 404);
    assert_eq!(status(&get(&server.address, "/ws", &upgrade).await), 101);
    assert_eq!(status(&get(&server.address, "/ws", &upgrade[..3]).await), 426);
    let foreign = [&upgrade[..], &[("origin", "https://evil.example")]].concat();
    for path in ["/ws", "/page"] {
        assert_eq!(status(&get(&server.address, path, &foreign).await), 403);
    }
    let own = [&upgrade[..], &[("origin", "http://localhost:3000")]].concat();
    assert_eq!(status(&get(&server.address, "/ws", &own).await), 101);
    server.sessions(0, Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_token_is_taken_from_headers_and_a_bad_one_is_refused_by_its_code() {
    let server = Server::echo().await;
    for header in [("authorization", "Bearer good"), ("cookie", "access_token=good")] {
        let mut client = RawClient::at(&server.address, "/ws", &[header]).await;
        let known = r#"{"type":"hello","payload":{"known":true}}"#;
        assert_eq!(client.next().await.unwrap(), known);
        client.send(&format!("\"{}\"", "x".repeat(100_000))).await;
        assert!(100_000 < client.next().await.unwrap().len(), "who is known may send much");
    }
    let mut bad = RawClient::at(&server.address, "/ws", &[("authorization", "Bearer bad")]).await;
    assert_eq!(bad.close_code().await, Some(4401));
    let mut stranger = open(&server, "/ws").await;
    stranger.send_bytes(&[0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0]).await;
    assert_eq!(stranger.close_code().await, Some(1009));
}

#[tokio::test]
async fn fragments_are_put_together_around_control_frames() {
    let server = Server::echo().await;
    let mut client = open(&server, "/ws").await;
    let text = r#"{"type":"é"}"#;
    let middle = text.len() - 3; // in the middle of a character
    let bytes = [
        frame(0x01, &text.as_bytes()[..5]),
        frame(0x89, b"are you there"),
        frame(0x00, &text.as_bytes()[5..middle]),
        frame(0x8a, b"unasked"),
        frame(0x80, &text.as_bytes()[middle..]),
    ];
    for byte in bytes.concat() {
        client.send_bytes(&[byte]).await;
    }
    assert_eq!(client.next_message().await.unwrap(), Message::Pong("are you there".into()));
    assert_eq!(client.next().await.unwrap(), echoed(text));
}

#[tokio::test]
async fn frames_that_break_the_protocol_are_closed_with_their_code() {
    let server = Server::echo().await;
    // What a client closes with is answered.
    let closing = (frame(0x88, b"\x0f\xa1"), 4001);
    for (bytes, code) in broken_frames().into_iter().chain([closing]) {
        let mut client = open(&server, "/ws").await;
        client.send_bytes(&bytes).await;
        assert_eq!(client.close_code().await, Some(code), "{bytes:?}");
    }
    server.sessions(0, Duration::from_secs(5)).await;
}

/// Ends its connection for the reason that the first message names.
async fn end(mut peer: Peer) {
    peer.inbox.next().await;
    let reasons = [CloseReason::TokenExpired, CloseReason::AuthTimeout, CloseReason::Dismissed];
    let reason = reasons[usize::try_from(peer.conn.0 / 2 % 3).unwrap()];
    peer.closing.send(Some(reason)).unwrap();
}

#[tokio::test]
async fn a_session_that_ends_says_by_its_code_what_to_do_next() {
    let server = Server::start(|_| (), end).await;
    let mut codes = Vec::new();
    for _reason in 0..3 {
        let mut client = RawClient::at(&server.address, "/ws", &[]).await;
        client.send("{}").await;
        codes.extend(client.close_code().await);
    }
    codes.sort_unstable();
    assert_eq!(codes, [4401, 4401, 4403]);
}

#[tokio::test]
async fn a_client_is_pinged_by_frames_and_stays_while_it_answers() {
    let tune = |config: &mut parlance::gateway::config::Config| {
        config.heartbeat.interval_ms = 100.try_into().unwrap();
        config.heartbeat.timeout_ms = 200.try_into().unwrap();
    };
    let server = Server::start(tune, echo).await;
    let mut client = open(&server, "/ws").await;
    // The library answers while it reads.
    for _ping in 0..10 {
        assert_eq!(client.next_message().await.unwrap(), Message::Ping(Default::default()));
    }
    assert_eq!(server.gateway.open_count(), 1);
    server.sessions(0, Duration::from_secs(5)).await;
}

/// Takes nothing out of its inbox until the client has sent more than fits.
async fn slow(mut peer: Peer) {
    let hello = crate::server::event("hello", r#"{"known":false}"#.to_owned());
    peer.outbox.push(hello).unwrap();
    while peer.inbox.load().items < 257 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut last = None;
    while let Some(inbound) = peer.inbox.try_next() {
        last = Some(inbound);
    }
    let told = crate::server::event("last", format!("{:?}", format!("{last:?}")));
    peer.outbox.push(told).unwrap();
    while peer.inbox.next().await.is_some() {}
}

#[tokio::test]
async fn a_message_that_does_not_fit_is_refused_by_its_id() {
    let server = Server::start(|_| (), slow).await;
    let mut client = open(&server, "/ws").await;
    client.send_burst((0..257).map(|n| format!(r#"{{"type":"A","requestId":{n}}}"#))).await;
    let last = client.next().await.unwrap();
    assert!(last.contains("Refused") && last.contains("256"), "{last}");
}
