//! A node dies or sleeps; its users are gone for the others, and come back whole.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use crate::harness::client::{contents, numbered};
use crate::harness::cluster::Plan;
use crate::harness::{SOON, allowed};

/// How long the users of a lost node may still look present.
const OFFLINE_WITHIN: Duration = Duration::from_secs(10);

#[tokio::test]
async fn users_of_a_killed_node_are_offline_within_10_s_and_once_each() {
    let mut cluster = Plan::nodes(2).unlimited().start().await;
    let mut dave = cluster.join(1, "dave", "room").await;
    let mut lost = Vec::new();
    let users = ["alice", "bob", "carol"];
    for user in users {
        for _device in 0..2 {
            lost.push(cluster.join(0, user, "room").await);
        }
    }
    // Somebody who is on both nodes stays.
    let _both = [cluster.join(0, "erin", "room").await, cluster.join(1, "erin", "room").await];
    dave.expect_many("user:online", 4, SOON).await;
    lost[0].say_all("room", &numbered(1..=20)).await;
    let last_heard = lost[2].expect_many("message:new", 10, SOON).await.remove(9);

    cluster.signal(0, Signal::KILL);
    let offline = dave.expect_many("user:offline", 3, allowed(OFFLINE_WITHIN)).await;
    let mut gone: Vec<&str> = offline.iter().filter_map(|it| it["userId"].as_str()).collect();
    gone.sort_unstable();
    assert_eq!(gone, users);

    let mut bob = cluster.connect(1, "bob").await;
    let join = json!({ "conversationId": "room", "since": last_heard["id"] });
    assert_eq!(bob.ok("conversation:join", join).await["missed"], 10);
    let heard = bob.expect_many("message:new", 10, SOON).await;
    assert_eq!(contents(&heard), numbered(11..=20));
    assert_eq!(dave.expect("user:online").await["userId"], "bob");

    // The node comes back, and its users hear and are heard.
    cluster.restart(0).await;
    let mut alice = cluster.join(0, "alice", "room").await;
    assert_eq!(dave.expect("user:online").await["userId"], "alice");
    alice.say("room", "back").await;
    assert_eq!(bob.expect("message:new").await["content"], "back");
    assert_eq!(dave.heard("user:offline").len(), 3, "once each");
}

#[tokio::test]
async fn a_node_that_wakes_from_12_s_of_sleep_makes_its_clients_whole() {
    let cluster = Plan::nodes(2).unlimited().start().await;
    let mut alice = cluster.join(0, "alice", "room").await;
    let mut dave = cluster.join(1, "dave", "room").await;
    let mut carol = cluster.join(1, "carol", "room").await;
    carol.say("room", "before").await;
    alice.expect("message:new").await;

    let asleep = Instant::now();
    cluster.signal(0, Signal::STOP);
    carol.say_all("room", &numbered(1..=30)).await;
    // Alice writes into a node that sleeps.
    let send = json!({ "conversationId": "room", "content": "hello?", "clientMessageId": "h" });
    let asked = alice.ask("message:send", send.clone()).await;
    let offline = dave.expect_within("user:offline", allowed(OFFLINE_WITHIN)).await;
    assert_eq!(offline["userId"], "alice");
    sleep_until(asleep + Duration::from_secs(12)).await;
    carol.say_all("room", &numbered(31..=40)).await;
    cluster.signal(0, Signal::CONT);

    let heard = alice.expect_many("message:new", 40, SOON).await;
    assert_eq!(contents(&heard), numbered(1..=40));
    assert_eq!(dave.expect("user:online").await["userId"], "alice", "the node has a new life");
    let answer = alice.answer(asked).await;
    if answer["ok"] != json!(true) {
        assert_eq!(answer["error"]["outcome"], "unknown");
    }
    let stored = alice.ok("message:send", send).await;
    carol.say("room", "after").await;
    assert_eq!(alice.expect("message:new").await["content"], "after");
    assert!(alice.is_open());
    let heard = dave.expect_many("message:new", 43, SOON).await;
    assert_eq!(heard[42]["content"], "after");
    let hello = heard.iter().filter(|it| it["id"] == stored["id"]).count();
    assert_eq!(hello, 1, "stored once, heard once");
    assert_eq!(dave.heard("user:offline").len(), 1);
}
