//! Too often is refused, that attempt only.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::harness::cluster::Cluster;

#[tokio::test]
async fn the_eleventh_event_of_a_second_is_refused_and_says_when_to_come_back() {
    let cluster = Cluster::of_two().await;
    let mut alice = cluster.join(0, "alice", "room").await;
    let mut bob = cluster.join(1, "bob", "room").await;
    let send = |text: usize| json!({ "conversationId": "room", "content": text.to_string() });
    let (ids, burst): (Vec<u64>, Vec<String>) =
        (1..=15).map(|it| alice.asking("message:send", &send(it))).unzip();
    alice.send(burst).await;
    let mut answers = Vec::new();
    for id in ids {
        answers.push(alice.answer(id).await);
    }
    for (index, answer) in answers.iter().enumerate().take(10) {
        assert_eq!(answer["seq"], json!(index + 1), "{answer}");
    }
    let mut retry_after = 0;
    for answer in &answers[10..] {
        let error = &answer["error"];
        assert_eq!(
            (&error["code"], &error["outcome"]),
            (&json!("RATE_LIMIT_EXCEEDED"), &json!("refused"))
        );
        retry_after = error["retryAfterMs"].as_u64().expect("it says when to come back");
        assert!((1..=1_000).contains(&retry_after), "{retry_after} ms");
    }
    sleep(Duration::from_millis(retry_after)).await;
    assert_eq!(
        alice.ok("message:send", send(11)).await["seq"],
        11,
        "what was refused is not stored"
    );
    // Another connection is not concerned.
    bob.say("room", "fine").await;
}

#[tokio::test]
async fn a_client_that_returns_may_rejoin_all_its_rooms_at_once() {
    let cluster = Cluster::of_two().await;
    let mut alice = cluster.connect(0, "alice").await;
    let (ids, burst): (Vec<u64>, Vec<String>) =
        (0..100).map(|it| alice.asking("conversation:join", &json!(format!("room-{it}")))).unzip();
    alice.send(burst).await;
    for id in ids {
        assert_eq!(alice.answer(id).await["ok"], true);
    }
    let error: Value = alice.refused("conversation:join", json!("one-too-many")).await;
    assert_eq!(error["outcome"], "refused");
    assert!(alice.is_open());
    assert_eq!(alice.say("room-99", "fine").await["seq"], 1);
}
