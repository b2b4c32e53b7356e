//! Events arrive, each once and in order.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use parlance::session::peer::Peer;
use tokio::time::sleep;

use crate::raw::{LANES, Lane, RawClient};
use crate::server::{Server, echo, event};

const EVENTS: usize = 200;

async fn first_and_all_others_come_back(lane: Lane, address: &str) {
    let mut client = RawClient::connect(lane, address).await;
    // At once after CONNECT was answered, in one write.
    let sends = (0..EVENTS).map(|n| format!(r#"42/conversation,["e",{n}]"#));
    client.send_burst(sends).await;
    assert_eq!(client.next().await.unwrap(), r#"42/conversation,["hello",{"known":true}]"#);
    for n in 0..EVENTS {
        let expected = format!(r#"42/conversation,["echo",["e",{n}]]"#);
        assert_eq!(client.next().await.unwrap(), expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn events_sent_at_once_keep_their_order_and_the_first_is_not_lost() {
    for lane in LANES {
        let server = Server::echo().await;
        for _round in 0..25 {
            join_all((0..20).map(|_| first_and_all_others_come_back(lane, &server.address))).await;
        }
        server.sessions(0, Duration::from_secs(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_carry_the_number_of_their_question() {
    for lane in LANES {
        let server = Server::echo().await;
        let mut client = RawClient::connect(lane, &server.address).await;
        client.next().await.unwrap();
        client.send(r#"42/conversation,7["a",{"b":"c"}]"#).await;
        client.send(r#"42/conversation,9007199254740993["a"]"#).await;
        assert_eq!(client.next().await.unwrap(), r#"43/conversation,7[["a",{"b":"c"}]]"#);
        assert_eq!(client.next().await.unwrap(), r#"43/conversation,9007199254740993[["a"]]"#);
    }
}

static POURED: AtomicUsize = AtomicUsize::new(0);
const DROPS: usize = 10_000;

/// Pushes as fast as the outbox is emptied: a hundred megabytes if nobody stops it.
async fn pour(peer: Peer) {
    let filler = "x".repeat(10_000);
    for n in 0..DROPS {
        peer.outbox.half_empty().await;
        peer.outbox.push(event("drop", format!(r#"[{n},"{filler}"]"#))).unwrap();
        POURED.store(n, Ordering::Relaxed);
    }
    peer.closing.closed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_holds_its_writer_back_and_misses_nothing() {
    for lane in LANES {
        POURED.store(0, Ordering::Relaxed);
        let server = Server::start(|_| (), pour).await;
        let mut client = RawClient::connect(lane, &server.address).await;
        let mut poured = 1;
        while poured != POURED.load(Ordering::Relaxed) {
            poured = POURED.load(Ordering::Relaxed);
            sleep(Duration::from_millis(300)).await;
        }
        // What the kernel keeps for a reader, and less than two megabytes of the node's.
        assert!(poured < DROPS / 8, "{poured}");
        for n in 0..DROPS {
            let packet = client.next().await.unwrap();
            assert!(
                packet.starts_with(&format!(r#"42/conversation,["drop",[{n},"#)),
                "{packet:.80}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_asks_faster_than_it_is_served_is_refused_and_then_closed() {
    for lane in LANES {
        /// Takes nothing.
        async fn sleepy(peer: Peer) {
            peer.closing.closed().await;
        }
        let server = Server::start(|_| (), sleepy).await;
        let mut client = RawClient::connect(lane, &server.address).await;
        client.send_burst((0..400).map(|n| format!(r#"42/conversation,["e",{n}]"#))).await;
        assert_eq!(client.next().await, None);
        server.sessions(0, Duration::from_secs(2)).await;
    }
}

#[tokio::test]
async fn an_event_over_the_limit_is_not_taken() {
    for lane in LANES {
        let server =
            Server::start(|config| config.limits.message_bytes = 10_000.try_into().unwrap(), echo)
                .await;
        let mut client = RawClient::connect(lane, &server.address).await;
        client.send(&format!(r#"42/conversation,["e","{}"]"#, "x".repeat(9000))).await;
        client.next().await.unwrap();
        assert!(client.next().await.unwrap().contains("xxx"));
        client.send(&format!(r#"42/conversation,["e","{}"]"#, "x".repeat(100_000))).await;
        match lane {
            Lane::Lean => {
                assert_eq!(client.close_code().await, Some(1009));
                server.sessions(0, Duration::from_secs(2)).await;
            }
            // The engine puts packets together unseen: there it is refused once it is whole.
            Lane::Engine => assert!(client.next().await.unwrap().contains("INVALID_DATA")),
        }
    }
}
