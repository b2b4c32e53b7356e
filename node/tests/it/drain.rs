//! A node is asked to leave: its clients go on elsewhere, and nobody misses anything.

use std::time::Duration;

use futures_util::future::join_all;
use rustix::process::Signal;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::harness::client::{Client, contents, numbered};
use crate::harness::cluster::{Cluster, Plan};
use crate::harness::journal::Standing;
use crate::harness::{SOON, allowed, until};

const DRAIN_SECONDS: u64 = 4;

/// When a draining process has to be gone: its time, and 2 s to end.
const GONE_WITHIN: Duration = Duration::from_secs(DRAIN_SECONDS + 2);

#[tokio::test]
async fn clients_of_a_drained_node_go_on_elsewhere_and_miss_nothing() {
    let mut cluster = Plan::nodes(2)
        .unlimited()
        .with("PARLANCE_DRAIN__SECONDS", &DRAIN_SECONDS.to_string())
        .with("PARLANCE_DRAIN__NOTICE_SECONDS", "1")
        .start()
        .await;
    let mut alice = cluster.join(1, "alice", "room").await;
    let mut dave = cluster.join(1, "dave", "room").await;
    let mut travellers = Vec::new();
    for index in 0..6 {
        let dial = cluster.dial(0).user(&format!("user-{index}"));
        let dial = if index % 2 == 0 { dial.polling() } else { dial };
        let mut client = dial.connect().await;
        client.ok("conversation:join", json!("room")).await;
        travellers.push((index, client));
    }
    let quitter = cluster.join(0, "quitter", "room").await;
    alice.say("room", "1").await;
    for (_, client) in &mut travellers {
        client.expect("message:new").await;
    }

    cluster.signal(0, Signal::TERM);
    until("the node says that it leaves", SOON, async || cluster.readiness(0).await == Some(404))
        .await;
    let handshake = "/socket.io/?EIO=4&transport=polling";
    assert_eq!(cluster.get(0, handshake).await.0, 503, "who comes now goes elsewhere");

    let stop = watch::Sender::new(false);
    let travel = async {
        let moves = travellers.into_iter().map(|it| journey(&cluster, it.0, it.1));
        let arrived = join_all(moves).await;
        stop.send_replace(true);
        arrived
    };
    let (arrived, sent) = tokio::join!(travel, write_until(&mut alice, stop.subscribe()));
    let mut back = Vec::new();
    for (mut heard, mut client) in arrived {
        let missing = sent - heard.len();
        heard.extend(client.expect_many("message:new", missing, SOON).await);
        assert_eq!(contents(&heard), numbered(1..=sent));
        back.push(client);
    }
    assert_eq!(quitter.ended(SOON).await, Standing::Connected);
    let status = cluster.exited(0, GONE_WITHIN).await;
    assert_eq!(status.code(), Some(0), "the node left in order");

    // The one who did not come back is the last to be seen as gone, and the only one.
    let offline = dave.expect_within("user:offline", allowed(Duration::from_secs(10))).await;
    assert_eq!(offline["userId"], "quitter");
    alice.say("room", "last").await;
    dave.wait("the last message", SOON, |it| {
        it.named("message:new").any(|it| it["content"] == "last")
    })
    .await;
    assert_eq!(dave.heard("user:offline").len(), 1);
    assert_eq!(dave.heard("user:online").len(), 7 + 1, "nobody came twice");
    assert!(back.iter().all(Client::is_open));
}

/// A client that the node lets go, and that joins again at the other one: what it has heard
/// before, and its new connection.
async fn journey(
    cluster: &Cluster,
    index: usize,
    client: Client,
) -> (Vec<serde_json::Value>, Client) {
    let standing = client.ended(GONE_WITHIN).await;
    assert_eq!(standing, Standing::Connected, "a DISCONNECT would keep the official client away");
    let heard = client.heard("message:new");
    let mut back = cluster.connect(1, &format!("user-{index}")).await;
    let since = &heard.last().unwrap()["id"];
    let join = json!({ "conversationId": "room", "since": since });
    assert_eq!(back.ok("conversation:join", join).await["resumed"], true);
    (heard, back)
}

/// Goes on writing, and tells how many messages the room has.
async fn write_until(client: &mut Client, stop: watch::Receiver<bool>) -> usize {
    let mut sent = 1;
    while !*stop.borrow() {
        sent += 1;
        client.say("room", &sent.to_string()).await;
        sleep(Duration::from_millis(20)).await;
    }
    sent
}

#[tokio::test]
async fn what_is_sent_to_a_draining_node_is_still_taken() {
    let mut cluster = Plan::nodes(2).with("PARLANCE_DRAIN__NOTICE_SECONDS", "1").start().await;
    let mut alice = cluster.join(0, "alice", "room").await;
    let mut bob = cluster.join(1, "bob", "room").await;
    cluster.signal(0, Signal::TERM);
    until("the node says that it leaves", SOON, async || cluster.readiness(0).await == Some(404))
        .await;
    alice.say("room", "still here").await;
    assert_eq!(bob.expect("message:new").await["content"], "still here");
    alice.ended(SOON).await;
    assert_eq!(cluster.exited(0, SOON).await.code(), Some(0));
}

#[tokio::test]
async fn a_second_signal_ends_a_draining_node_at_once() {
    let mut cluster = Plan::nodes(1)
        .with("PARLANCE_DRAIN__SECONDS", "30")
        .with("PARLANCE_DRAIN__NOTICE_SECONDS", "20")
        .start()
        .await;
    let alice = cluster.join(0, "alice", "room").await;
    cluster.signal(0, Signal::TERM);
    until("the node says that it leaves", SOON, async || cluster.readiness(0).await == Some(404))
        .await;
    assert!(cluster.is_running(0) && alice.is_open());
    cluster.signal(0, Signal::TERM);
    cluster.exited(0, allowed(Duration::from_secs(1))).await;
}
