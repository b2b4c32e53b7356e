//! What is refused, by which code; the connection lives, and nothing is stored.

use serde_json::{Value, json};

use crate::harness::SOON;
use crate::harness::client::Client;
use crate::harness::cluster::{Cluster, Plan};

/// Sends one bad event; the answer is this code.
async fn check(client: &mut Client, event: &str, argument: Value, code: &str) {
    let shown: String = argument.to_string().chars().take(80).collect();
    let error = client.refused(event, argument).await;
    assert_eq!(
        (&error["code"], &error["outcome"]),
        (&json!(code), &json!("refused")),
        "{event} {shown}"
    );
    assert!(error["message"].as_str().is_some_and(|it| !it.is_empty()), "{event} {shown}");
}

/// Nothing was stored before: the next message is the room's first.
async fn assert_nothing_stored(cluster: &Cluster, client: &mut Client) {
    let mut bob = cluster.join(1, "bob", "room").await;
    assert_eq!(client.say("room", "fine").await["seq"], 1);
    assert_eq!(bob.expect("message:new").await["content"], "fine");
    assert_eq!(client.heard("error"), [Value::Null; 0], "what was acknowledged is no event");
    assert!(client.is_open());
}

#[tokio::test]
async fn malformed_events_are_refused_and_the_connection_lives() {
    let cluster = Plan::nodes(2).unlimited().start().await;
    let mut alice = cluster.join(0, "alice", "room").await;
    let send = |key: &str, value: Value| {
        let mut send = json!({ "conversationId": "room", "content": "x" });
        send[key] = value;
        send
    };
    let mut deep = json!("deep");
    for _ in 0..129 {
        deep = json!([deep]);
    }
    let bad_sends = [
        Value::Null,
        json!(7),
        json!("text"),
        json!([]),
        json!(["room", "x"]),
        json!({}),
        json!({ "conversationId": "room" }),
        json!({ "content": "x" }),
        send("content", Value::Null),
        send("content", json!(7)),
        send("content", json!({ "$gt": "" })),
        send("content", json!("")),
        send("content", json!("  ")),
        send("content", json!("a\u{0}b")),
        send("content", json!("x".repeat(1_000_001))),
        send("content", deep.clone()),
        send("extra", deep),
        send("conversationId", json!("")),
        send("conversationId", json!("a}{b")),
        send("conversationId", json!("*")),
        send("conversationId", json!("\r\nFLUSHALL")),
        send("conversationId", json!("x".repeat(1_000))),
        send("conversationId", json!(["room"])),
        send("type", json!("x".repeat(33))),
        send("type", json!(7)),
        send("clientMessageId", json!("x".repeat(1_000))),
        send("clientMessageId", json!("a b")),
        send("clientMessageId", json!({})),
    ];
    for bad in bad_sends {
        check(&mut alice, "message:send", bad, "INVALID_DATA").await;
    }
    for bad in [
        Value::Null,
        json!(""),
        json!({}),
        json!("a b"),
        json!([1]),
        json!({ "conversationId": "room", "since": "nonsense" }),
    ] {
        check(&mut alice, "conversation:join", bad, "INVALID_DATA").await;
    }
    for bad in [json!("asleep"), json!(1), Value::Null] {
        check(&mut alice, "user:status", bad, "INVALID_DATA").await;
    }
    for bad in [json!({ "messageId": "nonsense" }), json!({}), json!("m")] {
        check(&mut alice, "message:read", bad, "INVALID_DATA").await;
    }
    assert_nothing_stored(&cluster, &mut alice).await;
}

#[tokio::test]
async fn unknown_events_and_rooms_that_were_not_joined_are_refused() {
    let cluster = Plan::nodes(2).unlimited().start().await;
    let mut alice = cluster.join(0, "alice", "room").await;
    for unknown in ["message:destroy", "", "connect", "disconnect", "error", "__proto__"] {
        // Names that Socket.IO keeps for itself may also be ignored, but must harm nobody.
        if matches!(unknown, "connect" | "disconnect" | "error") {
            alice.emit(unknown, json!("x")).await;
            continue;
        }
        check(&mut alice, unknown, json!({}), "UNKNOWN_EVENT").await;
    }
    let elsewhere = json!({ "conversationId": "elsewhere", "content": "x" });
    check(&mut alice, "message:send", elsewhere, "NOT_A_MEMBER").await;
    check(&mut alice, "typing:start", json!({ "conversationId": "elsewhere" }), "NOT_A_MEMBER")
        .await;
    let stored = alice.say("room", "hello").await;
    let mut bob = cluster.connect(1, "bob").await;
    let error = bob.refused("message:read", json!({ "messageId": stored["id"] })).await;
    assert_eq!(error["code"], "NOT_A_MEMBER");
    assert!(alice.is_open());

    // The room elsewhere holds nothing.
    let mut carol = cluster.join(1, "carol", "elsewhere").await;
    assert_eq!(carol.say("elsewhere", "first").await["seq"], 1);
}

#[tokio::test]
async fn a_refusal_without_a_callback_is_an_error_event() {
    let cluster = Cluster::of_two().await;
    let mut alice = cluster.join(0, "alice", "room").await;
    alice.emit("message:send", json!({ "conversationId": "elsewhere", "content": "x" })).await;
    let error = alice.expect("error").await;
    assert_eq!(error["code"], "NOT_A_MEMBER");
    assert!(error["message"].is_string());
    alice.emit("message:destroy", json!({})).await;
    assert_eq!(alice.expect("error").await["code"], "UNKNOWN_EVENT");
    alice.emit("message:send", json!([])).await;
    assert_eq!(alice.expect("error").await["code"], "INVALID_DATA");
    assert_eq!(alice.say("room", "fine").await["seq"], 1);
    assert_eq!(alice.heard("error").len(), 3);
}

#[tokio::test]
async fn rooms_of_users_and_departments_are_not_for_everybody() {
    let cluster = Cluster::of_two().await;
    let mut alice = cluster.connect(0, "alice").await;
    for room in ["user_bob", "dept_sales"] {
        check(&mut alice, "conversation:join", json!(room), "ACCESS_DENIED").await;
    }
}

#[tokio::test]
async fn control_characters_of_a_text_are_not_stored() {
    let cluster = Cluster::of_two().await;
    let mut alice = cluster.join(0, "alice", "room").await;
    let mut bob = cluster.join(1, "bob", "room").await;
    alice.say("room", "a\u{8}b\u{1b}[31m<script>&\u{7f}").await;
    assert_eq!(bob.expect("message:new").await["content"], "ab[31m<script>&");
    alice.say("room", "two\nlines\tand a tab").await;
    assert_eq!(bob.expect("message:new").await["content"], "two\nlines\tand a tab");
}

#[tokio::test]
async fn an_event_beyond_all_bounds_harms_nobody_else() {
    let cluster = Cluster::of_two().await;
    let mut alice = cluster.join(0, "alice", "room").await;
    let mut bob = cluster.join(0, "bob", "room").await;
    let huge = json!({ "conversationId": "room", "content": "x".repeat(3_000_000) });
    let asked = alice.ask("message:send", huge).await;
    // Refused, or cut off before it was read as a whole.
    alice.wait("an end", SOON, |it| it.ended || it.ack(asked).is_some()).await;
    if alice.is_open() {
        assert_eq!(alice.answer(asked).await["error"]["code"], "INVALID_DATA");
    }
    assert_eq!(bob.say("room", "fine").await["seq"], 1);
}
