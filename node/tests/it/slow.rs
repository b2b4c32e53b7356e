//! A client that does not read is put out; it alone pays, and it loses nothing.

use std::time::Duration;

use serde_json::json;

use crate::harness::client::{contents, numbered};
use crate::harness::cluster::Plan;
use crate::harness::journal::Standing;
use crate::harness::{SOON, allowed, until};

/// More than an outbox holds (256), fewer than a resume reaches back (1,000).
const MESSAGES: usize = 600;

/// So large that the kernel's buffers and the outbox overflow long before the last message.
const TEXT_BYTES: usize = 8 * 1_024;

#[tokio::test]
async fn a_client_that_stops_reading_is_put_out_alone_and_resumes_without_loss() {
    let cluster = Plan::nodes(2).unlimited().start().await;
    let mut alice = cluster.join(1, "alice", "room").await;
    let mut near = cluster.join(0, "carol", "room").await;
    let mut far = cluster.join(1, "dave", "room").await;
    let mut slow = cluster.dial(0).user("bob").small_receive_buffer().connect().await;
    slow.ok("conversation:join", json!("room")).await;
    alice.say("room", "0").await;
    slow.expect("message:new").await;

    slow.read(false);
    let texts: Vec<String> =
        numbered(1..=MESSAGES).iter().map(|it| format!("{it:x<TEXT_BYTES$}")).collect();
    for burst in texts.chunks(50) {
        alice.say_all("room", burst).await;
    }
    // Its outbox is full by now: the last message was acknowledged, and nothing waits for it.
    until("the slow client is put out", allowed(Duration::from_secs(5)), async || {
        cluster.get(0, "/api/status").await.1["connectedClients"] == 1
    })
    .await;
    // Five seconds of grace, as for everyone who goes.
    let offline = far.expect_within("user:offline", allowed(Duration::from_secs(5)) + SOON).await;
    assert_eq!(offline["userId"], "bob");

    for client in [&mut near, &mut far] {
        let heard = client.expect_many("message:new", MESSAGES + 1, SOON).await;
        assert_eq!(contents(&heard[1..]), texts);
        assert!(client.is_open());
    }

    slow.read(true);
    assert_eq!(slow.ended(SOON).await, Standing::Connected, "it may come back by itself");
    let mut heard = slow.heard("message:new");
    assert!(heard.len() + 256 < MESSAGES, "it missed more than an outbox: {}", heard.len());
    let mut back = cluster.connect(1, "bob").await;
    let since = &heard.last().unwrap()["id"];
    let join = json!({ "conversationId": "room", "since": since });
    let joined = back.ok("conversation:join", join).await;
    let missed = MESSAGES + 1 - heard.len();
    assert_eq!((&joined["resumed"], &joined["missed"]), (&json!(true), &json!(missed)));
    heard.extend(back.expect_many("message:new", missed, SOON).await);
    assert_eq!(contents(&heard[1..]), texts);
    alice.say("room", "live").await;
    assert_eq!(back.expect("message:new").await["content"], "live");
}
