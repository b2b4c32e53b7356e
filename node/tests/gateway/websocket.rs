//! What only the lean lane does by itself: frames, and packets in them.

use std::time::Duration;

use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::raw::{Lane, RawClient, broken_frames, frame, get, status};
use crate::server::{Server, echo};

async fn connect(server: &Server) -> RawClient {
    let mut client = RawClient::connect(Lane::Lean, &server.address).await;
    client.next().await.unwrap();
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_in_one_write_with_their_connects_are_all_heard_in_order() {
    let server = Server::echo().await;
    for _round in 0..50 {
        let mut client = RawClient::open(Lane::Lean, &server.address).await;
        let connects =
            ["40".to_owned(), r#"40/conversation,{"token":"good"}"#.to_owned()].into_iter();
        let events = (0..100).flat_map(|n| {
            [format!(r#"42{n}["e",{n}]"#), format!(r#"42/conversation,{n}["e",{n}]"#)]
        });
        client.send_burst(connects.chain(events)).await;
        let (mut root, mut other) = (Vec::new(), Vec::new());
        while root.len() + other.len() < 2 * 102 {
            let packet = client.next().await.unwrap();
            if packet.contains("/conversation,") { &mut other } else { &mut root }.push(packet);
        }
        for (packets, namespace) in [(root, ""), (other, "/conversation,")] {
            assert!(packets[0].starts_with(&format!("40{namespace}{{\"sid\":\"")), "{packets:?}");
            assert!(packets[1].contains("hello"), "{packets:?}");
            for n in 0..100 {
                assert_eq!(packets[n + 2], format!(r#"43{namespace}{n}[["e",{n}]]"#));
            }
        }
    }
}

#[tokio::test]
async fn a_refusal_says_why_in_data_and_leaves_other_namespaces_alone() {
    let server = Server::echo().await;
    let mut client = connect(&server).await;
    for (connect, answer) in [
        (
            r#"40{"token":"bad"}"#,
            r#"44{"data":{"code":"AUTH_REQUIRED"},"message":"Authentication required"}"#,
        ),
        ("40[1]", r#"44{"data":{"code":"INVALID_DATA"},"message":"malformed CONNECT payload"}"#),
        ("40/other,", r#"44/other,{"message":"Invalid namespace"}"#),
    ] {
        client.send(connect).await;
        assert_eq!(client.next().await.unwrap(), answer);
    }
    // Events to a namespace that was refused go nowhere.
    client.send(r#"42["lost"]"#).await;
    client.send(r#"42/conversation,["e"]"#).await;
    assert_eq!(client.next().await.unwrap(), r#"42/conversation,["echo",["e"]]"#);
}

#[tokio::test]
async fn fragments_and_control_frames_between_them_are_put_together() {
    let server = Server::echo().await;
    let mut client = connect(&server).await;
    let packet = r#"42/conversation,["é"]"#.as_bytes();
    let middle = packet.len() - 3; // in the middle of a character
    let bytes = [
        frame(0x01, &packet[..5]),
        frame(0x89, b"are you there"),
        frame(0x00, &packet[5..middle]),
        frame(0x8a, b"unasked"),
        frame(0x80, &packet[middle..]),
    ];
    for byte in bytes.concat() {
        client.send_bytes(&[byte]).await;
    }
    assert_eq!(client.next_message().await.unwrap(), Message::Pong("are you there".into()));
    assert_eq!(client.next().await.unwrap(), r#"42/conversation,["echo",["é"]]"#);
}

#[tokio::test]
async fn frames_that_break_the_protocol_are_closed_with_their_code() {
    let server = Server::echo().await;
    let closing = (frame(0x88, b"\x03\xed"), 1002);
    for (bytes, code) in broken_frames().into_iter().chain([closing]) {
        let mut client = connect(&server).await;
        client.send_bytes(&bytes).await;
        assert_eq!(client.close_code().await, Some(code), "{bytes:?}");
    }
    server.sessions(0, Duration::from_secs(2)).await;
}

#[tokio::test]
async fn a_stranger_may_send_little_and_a_known_client_much() {
    let server = Server::echo().await;
    let large = |namespace: &str| format!(r#"42{namespace}["e","{}"]"#, "x".repeat(100_000));
    let mut known = connect(&server).await;
    known.send(&large("/conversation,")).await;
    assert!(known.next().await.unwrap().len() > 100_000);
    let mut stranger = RawClient::open(Lane::Lean, &server.address).await;
    stranger.send("40").await;
    stranger.next().await.unwrap();
    stranger.next().await.unwrap();
    // The header alone is enough.
    stranger.send_bytes(&[0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0]).await;
    assert_eq!(stranger.close_code().await, Some(1009));
}

#[tokio::test]
async fn a_closing_client_is_answered_with_its_own_code() {
    let server = Server::echo().await;
    let mut client = connect(&server).await;
    let close = CloseFrame { code: 4321.into(), reason: "enough".into() };
    client.send_message(Message::Close(Some(close))).await;
    assert_eq!(client.close_code().await, Some(4321));
    server.sessions(0, Duration::from_secs(2)).await;
}

#[tokio::test]
async fn a_handshake_of_another_version_or_without_a_key_is_refused() {
    let server = Server::echo().await;
    let target = "/socket.io/?EIO=4&transport=websocket";
    let (key, version) =
        (("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="), ("sec-websocket-version", "13"));
    let upgrade = [("connection", "upgrade"), ("upgrade", "websocket")];
    for (headers, expected) in [
        (&[key, version][..], 101),
        (&[key, ("sec-websocket-version", "8")], 426),
        (&[key], 426),
        (&[version], 400),
        (&[("sec-websocket-key", "short"), version], 400),
    ] {
        let headers = [&upgrade, headers].concat();
        let answer = get(&server.address, target, &headers).await;
        assert_eq!(status(&answer), expected, "{answer}");
        let accept = "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
        assert_eq!(answer.contains(accept), expected == 101, "{answer}");
    }
    server.sessions(0, Duration::from_secs(2)).await;
}

#[tokio::test]
async fn a_client_is_pinged_at_the_interval_and_stays_while_it_answers() {
    let tune = |config: &mut parlance::gateway::config::Config| {
        config.heartbeat.interval_ms = 100.try_into().unwrap();
        config.heartbeat.timeout_ms = 200.try_into().unwrap();
    };
    let server = Server::start(tune, echo).await;
    let mut client = connect(&server).await;
    for _ping in 0..10 {
        assert_eq!(client.next_message().await.unwrap(), Message::text("2"));
        client.send("3").await;
    }
    assert_eq!(server.gateway.open_count(), 1);
}
