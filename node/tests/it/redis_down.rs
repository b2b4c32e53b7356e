//! Redis is away for a while: clients stay, sends say that they do not know, nobody is reaped.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use crate::harness::client::{Client, contents};
use crate::harness::cluster::Cluster;
use crate::harness::proxy::Direction;
use crate::harness::{SOON, allowed, cluster::Plan, until};

/// When the sender is told that nobody knows.
const UNKNOWN_WITHIN: Duration = Duration::from_secs(3);

#[tokio::test]
async fn while_redis_sleeps_for_10_s_clients_stay_and_nobody_is_reaped() {
    let cluster = Cluster::of_two().await;
    let mut alice = cluster.join(0, "alice", "room").await;
    let mut bob = cluster.join(1, "bob", "room").await;
    let carol = cluster.join(0, "carol", "room").await;
    alice.say("room", "before").await;

    let asleep = Instant::now();
    cluster.redis.freeze();
    let send = json!({ "conversationId": "room", "content": "during", "clientMessageId": "m" });
    assert_unknown(&mut alice, send.clone()).await;
    assert_eq!(cluster.get(0, "/api/socket/health").await.0, 503);
    assert_eq!(cluster.readiness(0).await, Some(200), "degraded, but ready");
    sleep_until(asleep + Duration::from_secs(10)).await;
    cluster.redis.thaw();

    // The retry has the same name, so it is stored once, whatever became of the first attempt.
    let mut stored = Value::Null;
    until("the retry is stored", SOON, async || {
        stored = alice.call("message:send", send.clone()).await;
        stored["ok"] == json!(true)
    })
    .await;
    alice.say("room", "after").await;
    let heard = bob.expect_many("message:new", 3, SOON).await;
    assert_eq!(contents(&heard), ["before", "during", "after"]);
    assert_eq!(heard[1]["id"], stored["id"]);

    // Whoever goes now is the first to go.
    carol.disconnect().await;
    assert_eq!(bob.expect("user:offline").await["userId"], "carol");
    assert_eq!(bob.heard("user:offline").len(), 1);
    assert!(alice.is_open() && bob.is_open());
    assert_eq!(cluster.get(0, "/api/socket/health").await.0, 200);
}

#[tokio::test]
async fn a_node_cut_off_from_redis_answers_unknown_and_returns_by_itself() {
    let cluster = Plan::nodes(2).proxied().start().await;
    let mut alice = cluster.join(0, "alice", "room").await;
    let mut bob = cluster.join(1, "bob", "room").await;
    for direction in [Direction::ToNode, Direction::ToRedis] {
        cluster.proxy(0).hold(direction, true);
        let content = format!("held-back-{direction:?}");
        let send =
            json!({ "conversationId": "room", "content": content, "clientMessageId": content });
        assert_unknown(&mut alice, send.clone()).await;
        bob.say("room", "meanwhile").await;
        cluster.proxy(0).hold(direction, false);
        until("the retry is stored", SOON, async || {
            alice.call("message:send", send.clone()).await["ok"] == json!(true)
        })
        .await;
        assert_eq!(bob.expect("message:new").await["content"], content);
        assert_eq!(alice.expect("message:new").await["content"], "meanwhile");
    }
    assert!(alice.is_open());
}

async fn assert_unknown(client: &mut Client, send: Value) {
    let asked = Instant::now();
    let error = client.refused("message:send", send).await;
    assert!(asked.elapsed() < allowed(UNKNOWN_WITHIN), "after {:?}", asked.elapsed());
    assert_eq!((&error["code"], &error["outcome"]), (&json!("SERVER_ERROR"), &json!("unknown")));
}
