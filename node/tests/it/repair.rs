//! Publications may be lost, doubled, late and out of order; what clients hear may not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use crate::harness::client::{contents, numbered};
use crate::harness::cluster::Plan;
use crate::harness::envelope::EnvelopeClient;
use crate::harness::proxy::Fate;
use crate::harness::resp::Publication;
use crate::harness::{SOON, allowed};

/// Every few publications something goes wrong, each fault in a rhythm of its own.
fn troubled() -> impl FnMut(&Publication<'_>) -> Fate + Send {
    let mut count = 0_usize;
    move |_| {
        count += 1;
        match count {
            it if it.is_multiple_of(7) => Fate::Drop,
            it if it.is_multiple_of(5) => Fate::Double,
            it if it.is_multiple_of(11) => Fate::Delay(Duration::from_millis(150)),
            it if it.is_multiple_of(3) => Fate::Swap,
            _ => Fate::Pass,
        }
    }
}

#[tokio::test]
async fn spoiled_publications_make_no_hole_no_double_and_no_disorder() {
    const MESSAGES: usize = 300;
    let cluster = Plan::nodes(2).proxied().unlimited().start().await;
    let rooms = ["one", "two"];
    let mut writers = Vec::new();
    let mut listeners = Vec::new();
    for room in rooms {
        writers.push((room, cluster.join(0, "alice", room).await));
        for node in [0, 1] {
            listeners.push(cluster.join(node, "bob", room).await);
        }
    }
    for node in [0, 1] {
        cluster.proxy(node).spoil(troubled());
    }

    // One by one, so that each is a publication of its own.
    let texts = numbered(1..=MESSAGES);
    let write = writers.iter_mut().map(|(room, client)| {
        let texts = &texts;
        async move {
            for text in texts {
                client.say(room, text).await;
            }
        }
    });
    futures_util::future::join_all(write).await;
    for listener in &mut listeners {
        let heard = listener.expect_many("message:new", MESSAGES, SOON).await;
        assert_eq!(contents(&heard), texts);
    }
    for node in [0, 1] {
        let spoiled = cluster.proxy(node).spoiled();
        for times in [spoiled.dropped, spoiled.doubled, spoiled.delayed, spoiled.swapped] {
            assert!(10 < times, "the proxy of node {node} did little: {spoiled:?}");
        }
        cluster.proxy(node).spoil(|_| Fate::Pass);
    }
    for (room, client) in &mut writers {
        client.say(room, "last").await;
    }
    for listener in &mut listeners {
        assert_eq!(listener.expect("message:new").await["content"], "last");
    }
}

#[tokio::test]
async fn the_last_message_of_a_quiet_room_is_heard_within_2_s_of_its_loss() {
    let cluster = Plan::nodes(2).proxied().start().await;
    let mut alice = cluster.join(0, "alice", "room").await;
    let mut bob = cluster.join(1, "bob", "room").await;
    alice.say("room", "heard").await;
    bob.expect("message:new").await;

    cluster.proxy(1).spoil(|it| match it.holds("lost on its way") {
        true => Fate::Drop,
        false => Fate::Pass,
    });
    alice.say("room", "lost on its way").await;
    let message = bob.expect_within("message:new", allowed(Duration::from_secs(2))).await;
    assert_eq!(message["content"], "lost on its way");
    assert_eq!(cluster.proxy(1).spoiled().dropped, 1);
}

#[tokio::test]
async fn a_repeated_send_heals_a_lost_publication_and_doubles_nothing() {
    let cluster = Plan::nodes(2).proxied().start().await;
    let mut alice = cluster.join(0, "alice", "room").await;
    let mut bob = cluster.join(1, "bob", "room").await;
    let mut dropped = false;
    cluster.proxy(1).spoil(move |it| match it.holds("again") && !dropped {
        true => {
            dropped = true;
            Fate::Drop
        }
        false => Fate::Pass,
    });
    let send = json!({ "conversationId": "room", "content": "again", "clientMessageId": "m" });
    let first = alice.ok("message:send", send.clone()).await;
    assert_eq!(alice.ok("message:send", send).await, first);
    alice.say("room", "last").await;
    let heard = bob.expect_many("message:new", 2, SOON).await;
    assert_eq!(contents(&heard), ["again", "last"]);
    assert_eq!(cluster.proxy(1).spoiled().dropped, 1);
}

#[tokio::test]
async fn a_node_that_hears_nothing_finds_out_and_catches_up() {
    let cluster = Plan::nodes(2).proxied().start().await;
    let mut alice = cluster.join(0, "alice", "room").await;
    let mut bob = cluster.join(1, "bob", "room").await;
    let deaf = Arc::new(AtomicBool::new(true));
    let still = Arc::clone(&deaf);
    cluster.proxy(1).spoil(move |_| match still.load(Ordering::Relaxed) {
        true => Fate::Drop,
        false => Fate::Pass,
    });
    // Longer than a node may take to find out, so that it tries in vain at least once.
    for text in numbered(1..=8) {
        alice.say("room", &text).await;
        sleep(Duration::from_millis(500)).await;
    }
    deaf.store(false, Ordering::Relaxed);
    let heard = bob.expect_many("message:new", 8, allowed(Duration::from_secs(4))).await;
    assert_eq!(contents(&heard), numbered(1..=8));
    alice.say("room", "last").await;
    assert_eq!(bob.expect("message:new").await["content"], "last");
    assert!(4 < cluster.proxy(1).spoiled().dropped);
}

#[tokio::test]
async fn a_node_whose_connections_to_redis_are_cut_misses_nothing() {
    let cluster = Plan::nodes(2).proxied().unlimited().start().await;
    let mut alice = cluster.join(0, "alice", "room").await;
    let mut bob = cluster.join(1, "bob", "room").await;
    for round in 0..3 {
        let (from, to) = (round * 100 + 1, round * 100 + 100);
        let texts = numbered(from..=to);
        for (index, text) in texts.iter().enumerate() {
            if index == 50 {
                cluster.proxy(1).cut();
            }
            alice.say("room", text).await;
        }
        let heard = bob.expect_many("message:new", 100, SOON).await;
        assert_eq!(contents(&heard), texts);
    }
    assert!(bob.is_open());
    // The node can also write again.
    bob.say("room", "answer").await;
    assert_eq!(alice.expect("message:new").await["content"], "answer");
}

#[tokio::test]
async fn whoever_misses_more_than_the_log_keeps_is_told_so_in_its_own_words() {
    let plan = Plan::nodes(2).proxied().unlimited();
    let cluster = plan.with("PARLANCE_HISTORY__MESSAGES_PER_ROOM", "100").start().await;
    let mut alice = cluster.join(0, "alice", "room").await;
    let mut bob = cluster.join(1, "bob", "room").await;
    let mut eve = EnvelopeClient::enter(cluster.public(1), "eve").await;
    eve.join("room").await;
    cluster.proxy(1).spoil(|it| match it.holds("lost on its way") {
        true => Fate::Drop,
        false => Fate::Pass,
    });
    let lost = vec!["lost on its way".to_owned(); 200];
    for _ in 0..6 {
        alice.say_all("room", &lost).await;
    }
    let last = alice.say("room", "last").await["seq"].as_u64().unwrap();
    let reset = bob.expect("history:reset").await;
    assert_eq!((&reset["room"], reset["position"]["seq"].is_u64()), (&json!("room"), true));
    assert_eq!(eve.hear("HISTORY_RESET").await["roomId"], "room");
    // Each hole is a repair of its own, and the last one may come late: it tells of all up to there.
    bob.wait("everything is told or taken back", SOON, |it| {
        let mut resets = it.named("history:reset").filter_map(|it| it["position"]["seq"].as_u64());
        resets.any(|seq| last <= seq) || it.named("message:new").any(|it| it["content"] == "last")
    })
    .await;
    // From there on everything is heard again.
    alice.say("room", "new").await;
    bob.wait("the new message comes", SOON, |it| {
        it.named("message:new").any(|it| it["content"] == "new")
    })
    .await;
}
