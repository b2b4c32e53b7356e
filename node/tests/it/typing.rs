//! Whoever is heard to start typing is heard to stop, however it ends.

use std::collections::BTreeSet;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::cluster::Cluster;
use crate::harness::{SOON, allowed};

/// A typist who says nothing for so long has stopped.
const SILENCE: Duration = Duration::from_secs(6);

fn typing(user: &str) -> Value {
    json!({ "userId": user, "conversationId": "room" })
}

#[tokio::test]
async fn whoever_starts_typing_is_heard_to_stop_however_it_ends() {
    let cluster = Cluster::of_two().await;
    let mut bob = cluster.join(1, "bob", "room").await;
    let mut near = cluster.join(0, "near", "room").await;
    let start = json!({ "conversationId": "room" });

    let mut stops = cluster.join(0, "stops", "room").await;
    let mut leaves = cluster.join(0, "leaves", "room").await;
    let mut goes = cluster.join(0, "goes", "room").await;
    let vanishes = cluster.join(0, "vanishes", "room").await;
    stops.ok("typing:start", start.clone()).await;
    leaves.ok("typing:start", start.clone()).await;
    goes.ok("typing:start", start.clone()).await;
    vanishes.emit("typing:start", start.clone()).await;
    let users = ["stops", "leaves", "goes", "vanishes"];
    for client in [&mut bob, &mut near] {
        let started = client.expect_many("typing:start", users.len(), SOON).await;
        assert_eq!(names(&started), BTreeSet::from(users));
    }

    stops.ok("typing:stop", start.clone()).await;
    assert_eq!(bob.expect("typing:stop").await, typing("stops"));
    leaves.ok("conversation:leave", json!("room")).await;
    assert_eq!(bob.expect("typing:stop").await, typing("leaves"));
    goes.disconnect().await;
    // Well before six seconds of silence would have ended it.
    let soon = allowed(Duration::from_secs(2));
    assert_eq!(bob.expect_within("typing:stop", soon).await, typing("goes"));
    drop(vanishes);
    assert_eq!(bob.expect_within("typing:stop", soon).await, typing("vanishes"));
    let stopped = near.expect_many("typing:stop", users.len(), SOON).await;
    assert_eq!(names(&stopped), BTreeSet::from(users));

    // Six seconds of silence, on a node that lives and on one that dies.
    let mut here = cluster.join(1, "silent-here", "room").await;
    let mut there = cluster.join(0, "silent-there", "room").await;
    here.ok("typing:start", start.clone()).await;
    there.ok("typing:start", start.clone()).await;
    bob.expect_many("typing:start", 2, SOON).await;
    cluster.signal(0, Signal::KILL);
    let stopped = bob.expect_many("typing:stop", 2, allowed(SILENCE)).await;
    assert_eq!(names(&stopped), BTreeSet::from(["silent-here", "silent-there"]));

    here.say("room", "done").await;
    bob.expect("message:new").await;
    assert_eq!(bob.heard("typing:stop").len(), 6, "once each");
    assert!(here.heard("typing:start").iter().all(|it| it["userId"] != "silent-here"));
}

fn names(events: &[Value]) -> BTreeSet<&str> {
    events.iter().filter_map(|it| it["userId"].as_str()).collect()
}

#[tokio::test]
async fn a_typist_who_goes_on_is_not_heard_to_stop() {
    let cluster = Cluster::of_two().await;
    let mut alice = cluster.join(0, "alice", "room").await;
    let mut bob = cluster.join(1, "bob", "room").await;
    // Every 500 ms for longer than silence may last: a client that types without a pause.
    for _ in 0..15 {
        alice.ok("typing:start", json!({ "conversationId": "room" })).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(bob.heard("typing:stop"), [Value::Null; 0]);
    alice.ok("typing:stop", json!({ "conversationId": "room" })).await;
    assert_eq!(bob.expect("typing:stop").await, typing("alice"));
}
