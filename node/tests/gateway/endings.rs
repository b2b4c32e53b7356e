//! How connections end, and that nothing is left of them.

use std::time::Duration;

use parlance::dialect::Venue;
use parlance::domain::close::CloseReason;
use parlance::session::peer::Peer;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message;

use crate::raw::{LANES, Lane, RawClient, get, open_polling, request, status};
use crate::server::{Server, echo, event};

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

/// Fills the outbox of a client that does not read, as a busy room does, and waits for its end.
async fn overfill(mut peer: Peer) {
    let filler = format!("\"{}\"", "x".repeat(10_000));
    while peer.outbox.push(event("e", filler.clone())).is_ok() {
        tokio::task::yield_now().await;
    }
    peer.closing.send_replace(Some(CloseReason::TooSlow));
    while peer.inbox.next().await.is_some() {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_stops_reading_is_freed_within_five_seconds() {
    for lane in LANES {
        let server = Server::start(|_| (), overfill).await;
        let mut client = RawClient::open(lane, &server.address).await;
        client.send(r#"40/conversation,{"token":"good"}"#).await;
        // From here on the client reads nothing, and its socket stays open.
        server.sessions(0, Duration::from_secs(5)).await;
        drop(client);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_polling_client_that_stops_polling_is_freed_within_five_seconds() {
    let server = Server::start(|_| (), overfill).await;
    let session = open_polling(&server.address).await;
    let target = format!("{POLLING}&sid={session}");
    let connect = r#"40/conversation,{"token":"good"}"#;
    assert_eq!(status(&request(&server.address, "POST", &target, &[], connect).await), 200);
    server.sessions(0, Duration::from_secs(5)).await;
    assert_eq!(status(&get(&server.address, &target, &[]).await), 400);
}

/// Closes at the first event, with something still to say.
async fn say_goodbye(mut peer: Peer) {
    peer.inbox.next().await.unwrap();
    peer.outbox.push(event("bye", "1".to_owned())).unwrap();
    let reason = if peer.venue == Venue::Namespace("/".into()) {
        CloseReason::AuthTimeout
    } else {
        CloseReason::TokenExpired
    };
    peer.closing.send_replace(Some(reason));
    assert!(peer.inbox.next().await.is_none());
}

#[tokio::test]
async fn what_was_said_before_the_end_is_heard() {
    for lane in LANES {
        let server = Server::start(|_| (), say_goodbye).await;
        let mut client = RawClient::connect(lane, &server.address).await;
        client.send(r#"42/conversation,["e"]"#).await;
        assert_eq!(client.next().await.unwrap(), r#"42/conversation,["bye",1]"#);
        assert_eq!(client.next().await, None);
        server.sessions(0, Duration::from_secs(2)).await;
    }
}

#[tokio::test]
async fn a_client_that_shall_stay_away_gets_a_disconnect_packet() {
    for lane in LANES {
        let server = Server::start(|_| (), say_goodbye).await;
        let mut client = RawClient::open(lane, &server.address).await;
        client.send("40").await;
        assert!(client.next().await.unwrap().starts_with("40{"));
        client.send(r#"42["e"]"#).await;
        assert_eq!(client.next().await.unwrap(), r#"42["bye",1]"#);
        assert_eq!(client.next().await.unwrap(), "41");
        assert_eq!(client.next().await, None);
        server.sessions(0, Duration::from_secs(2)).await;
    }
}

#[tokio::test]
async fn namespaces_of_one_connection_end_together() {
    for lane in LANES {
        let server = Server::start(|_| (), say_goodbye).await;
        let mut client = RawClient::connect(lane, &server.address).await;
        client.send("40").await;
        assert!(client.next().await.unwrap().starts_with("40{"));
        client.send(r#"42/conversation,["e"]"#).await;
        assert_eq!(client.next().await.unwrap(), r#"42/conversation,["bye",1]"#);
        assert_eq!(client.next().await, None);
        server.sessions(0, Duration::from_secs(2)).await;
    }
}

#[tokio::test]
async fn a_namespace_that_its_client_leaves_leaves_the_others_alone() {
    for lane in LANES {
        let server = Server::echo().await;
        let mut client = RawClient::connect(lane, &server.address).await;
        client.next().await.unwrap();
        client.send("40").await;
        assert!(client.next().await.unwrap().starts_with("40{"));
        assert_eq!(client.next().await.unwrap(), r#"42["hello",{"known":false}]"#);
        client.send("41/conversation,").await;
        client.send(r#"42["e"]"#).await;
        assert_eq!(client.next().await.unwrap(), r#"42["echo",["e"]]"#);
    }
}

#[tokio::test]
async fn packets_that_break_the_protocol_end_the_connection() {
    for lane in LANES {
        let server = Server::echo().await;
        for packet in [
            r#"451-/conversation,["hello",{"_placeholder":true,"num":"splice"}]"#,
            "45a-",
            "4999",
            r#"45999999999-["x"]"#,
            r#"42/conversation,{"a":1}"#,
            "44/conversation,",
            "7",
        ] {
            let mut client = RawClient::connect(lane, &server.address).await;
            client.next().await.unwrap();
            client.send(packet).await;
            // The bytes that the first one announces.
            client.try_send_message(Message::binary(vec![1])).await;
            while let Some(packet) = client.next().await {
                assert_eq!(packet, "1", "the engine's close packet");
            }
        }
        server.sessions(0, Duration::from_secs(2)).await;
    }
}

#[tokio::test]
async fn a_polling_post_over_the_limit_gets_413() {
    let server =
        Server::start(|config| config.limits.message_bytes = 10_000.try_into().unwrap(), echo)
            .await;
    let session = open_polling(&server.address).await;
    let target = format!("{POLLING}&sid={session}");
    let body = format!("42[\"{}\"]", "x".repeat(20_000));
    assert_eq!(status(&request(&server.address, "POST", &target, &[], &body).await), 413);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leaving_node_lets_every_session_finish_and_resolves_when_all_are_gone() {
    for lane in LANES {
        /// Answers each event, slowly.
        async fn slow_echo(mut peer: Peer) {
            while let Some(parlance::session::peer::Inbound::Event { packet, .. }) =
                peer.inbox.next().await
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
                peer.outbox.push(event("echo", packet.into_string())).unwrap();
            }
        }
        let tune = |config: &mut parlance::gateway::config::Config| config.drain.notice_seconds = 1;
        let server = Server::start(tune, slow_echo).await;
        let mut clients = Vec::new();
        for _ in 0..20 {
            let mut client = RawClient::connect(lane, &server.address).await;
            client.send_burst((0..3).map(|n| format!(r#"42/conversation,["e",{n}]"#))).await;
            clients.push(client);
        }
        let began = Instant::now();
        server.lifecycle.stop_soft();
        timeout(Duration::from_secs(7), server.gateway.drain()).await.expect("in time");
        assert!(Duration::from_secs(1) < began.elapsed());
        assert_eq!(server.gateway.open_count(), 0);
        for mut client in clients {
            for n in 0..3 {
                let expected = format!(r#"42/conversation,["echo",["e",{n}]]"#);
                assert_eq!(client.next().await.unwrap(), expected);
            }
            assert_eq!(client.next().await, None);
        }
    }
}

/// The engine repeats the name of an unknown namespace in its answer.
const UNKNOWN_NAMESPACE_BYTES: usize = 60_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_asks_without_reading_is_read_no_further() {
    for lane in LANES {
        let server = Server::echo().await;
        let mut client = RawClient::connect(lane, &server.address).await;
        // The lean lane repeats no long names; it answers pings of frames.
        let (message, bytes) = match lane {
            Lane::Lean => (Message::Ping(vec![0; 125].into()), 125),
            Lane::Engine => {
                let packet = format!("40/{}", "x".repeat(UNKNOWN_NAMESPACE_BYTES));
                (Message::text(packet), UNKNOWN_NAMESPACE_BYTES)
            }
        };
        let mut sent = 0;
        let pause = Duration::from_secs(1);
        while timeout(pause, client.send_message(message.clone())).await.is_ok() {
            sent += bytes;
            assert!(sent < 40_000_000, "more than any kernel keeps was taken");
        }
    }
}

#[tokio::test]
async fn a_client_that_posts_many_or_large_connects_is_ended() {
    let server = Server::echo().await;
    let many = "40/a\x1e".repeat(65);
    let large = format!("40/{}", "x".repeat(UNKNOWN_NAMESPACE_BYTES));
    for body in [many, large] {
        let session = open_polling(&server.address).await;
        let target = format!("{POLLING}&sid={session}");
        let enough = "40/a\x1e".repeat(10);
        assert_eq!(status(&request(&server.address, "POST", &target, &[], &enough).await), 200);
        assert_eq!(status(&request(&server.address, "POST", &target, &[], &body).await), 400);
        assert_eq!(status(&get(&server.address, &target, &[]).await), 400);
    }
}

#[tokio::test]
async fn a_client_that_asks_for_namespaces_all_the_time_is_ended() {
    for lane in LANES {
        let server = Server::echo().await;
        let mut client = RawClient::open(lane, &server.address).await;
        client.send("40").await;
        for _ in 0..64 {
            client.send(r#"40/conversation,{"token":"bad"}"#).await;
        }
        while client.next().await.is_some() {}
        server.sessions(0, Duration::from_secs(2)).await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_answer_pings_is_ended() {
    for lane in LANES {
        let tune = |config: &mut parlance::gateway::config::Config| {
            config.heartbeat.interval_ms = 100.try_into().unwrap();
            config.heartbeat.timeout_ms = 200.try_into().unwrap();
        };
        let server = Server::start(tune, echo).await;
        let _client = RawClient::connect(lane, &server.address).await;
        server.sessions(0, Duration::from_secs(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_stops_reading_is_freed_by_the_kernel_if_nobody_else_notices() {
    for lane in LANES {
        /// Says more than any kernel keeps, and does not mind.
        async fn unmindful(mut peer: Peer) {
            let filler = format!("\"{}\"", "x".repeat(10_000));
            while peer.outbox.push(event("e", filler.clone())).is_ok() {
                tokio::task::yield_now().await;
            }
            while peer.inbox.next().await.is_some() {}
        }
        let server = Server::start(|_| (), unmindful).await;
        let _client = RawClient::connect(lane, &server.address).await;
        server.sessions(0, Duration::from_secs(30)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn perturbed_packets_harm_nobody_else() {
    for lane in LANES {
        let server = Server::echo().await;
        let mut honest = RawClient::connect(lane, &server.address).await;
        honest.next().await.unwrap();
        let good = r#"42/conversation,1["e",{"a":[1]}]"#;
        for place in 0..good.len() {
            for put in ["", "\0", "9", "/", "-", "[", "\"", "\u{1e}", "é"] {
                let perturbed = format!("{}{put}{}", &good[..place], &good[place + 1..]);
                let mut client = RawClient::connect(lane, &server.address).await;
                client.send(&perturbed).await;
            }
            honest.send(r#"42/conversation,["still here"]"#).await;
            assert_eq!(honest.next().await.unwrap(), r#"42/conversation,["echo",["still here"]]"#);
        }
        server.sessions(1, Duration::from_secs(5)).await;
    }
}
