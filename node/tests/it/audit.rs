//! What is written down: in the log and for applications to read.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::application::Application;
use crate::harness::cluster::Plan;
use crate::harness::token::{in_seconds, sign, token};
use crate::harness::{SOON, allowed, until};

/// Records as they were read, oldest first.
async fn records(application: &Application, count: usize) -> Vec<Value> {
    let mut found = Vec::new();
    until("the records are kept", SOON, async || {
        found = application.audit().await;
        count <= found.len()
    })
    .await;
    found
}

#[tokio::test]
async fn everybody_who_comes_is_kept_out_or_is_put_out_leaves_a_record() {
    let cluster = Plan::nodes(1).with("PARLANCE_LIMITS__EVENTS_PER_SECOND", "4").start().await;
    let application = Application::beside(&cluster).await;
    let agent = "evil/1.0 {\"outcome\":\"connected\"}";
    let dial = cluster.dial(0).header("user-agent", agent).header("x-forwarded-for", "1.2.3.4");
    dial.clone()
        .auth(json!({ "token": "garbage-that-must-not-be-kept" }))
        .try_connect()
        .await
        .unwrap_err();
    dial.clone().namespace("/conversation").try_connect().await.unwrap_err();
    let expired = sign(&json!({ "sub": "alice", "exp": in_seconds(-60) }));
    dial.clone().auth(json!({ "token": expired })).try_connect().await.unwrap_err();
    let mut alice = dial.clone().user("alice").connect().await;
    for _ in 0..3 {
        alice.refused("conversation:join", json!("user_bob")).await;
    }
    let mut others = cluster.dial(0).connect().await;
    others.refused("authenticate", json!({ "token": "garbage-that-must-not-be-kept" })).await;
    others.ok("authenticate", json!({ "token": token("bob") })).await;
    let text = json!({ "conversationId": "r", "content": "a secret text" });
    let burst: Vec<(u64, String)> = (0..20).map(|_| others.asking("message:send", &text)).collect();
    others.send(burst.iter().map(|(_, packet)| packet.clone()).collect()).await;
    others.answer(burst[19].0).await;
    application.revoke_user("alice").await;
    alice.ended(allowed(Duration::from_secs(1))).await;

    let records = records(&application, 11).await;
    let short = |it: &Value| {
        let member = |name: &str| it[name].as_str().unwrap_or("-").to_owned();
        ["what", "outcome", "user", "room", "asked"].map(member).join(" ")
    };
    let told: Vec<String> = records.iter().map(short).collect();
    assert_eq!(
        told,
        [
            "connect invalid - - -",
            "connect no_token - - -",
            "connect expired - - -",
            "connect connected alice - -",
            "access ACCESS_DENIED alice user_bob conversation:join",
            "connect connected - - -",
            "authenticate invalid - - -",
            "authenticate authenticated bob - -",
            "access NOT_A_MEMBER bob r message:send",
            "limit RATE_LIMIT_EXCEEDED bob r message:send",
            "disconnect revoked alice - -",
        ]
    );
    assert_eq!(records[0]["agent"], agent);
    // No proxy is trusted, so nobody is believed about another address.
    assert!(records.iter().all(|it| it["address"] == "127.0.0.1"), "{records:?}");
    let all = format!("{records:?}{}", cluster.log(0));
    assert!(!all.contains("must-not-be-kept") && !all.contains("a secret text"));
    let lines = cluster.log(0);
    let lines = lines.lines().filter(|it| it.contains(r#""target":"audit""#));
    assert_eq!(lines.count(), told.len());
}
