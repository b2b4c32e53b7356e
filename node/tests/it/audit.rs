//! What is written down: in the log and for applications to read.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::api::{Api, READER};
use crate::harness::cluster::Plan;
use crate::harness::token::{in_seconds, sign, token};
use crate::harness::{SOON, allowed, until};

/// Records as they were read, oldest first.
async fn records(api: &Api, count: usize) -> Vec<Value> {
    let mut found = Vec::new();
    until("the records are kept", SOON, async || {
        found = api.audit().await;
        count <= found.len()
    })
    .await;
    found
}

#[tokio::test]
async fn everybody_who_comes_is_kept_out_or_is_put_out_leaves_a_record() {
    let plan = Plan::nodes(1).with("PARLANCE_LIMITS__EVENTS_PER_SECOND", "4");
    let cluster = plan.with_api().open().start().await;
    let api = cluster.api(0);
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
    api.revoke_user("alice").await;
    alice.ended(allowed(Duration::from_secs(1))).await;

    let records = records(&api, 12).await;
    let short = |it: &Value| {
        let member = |name: &str| it[name].as_str().unwrap_or("-").to_owned();
        ["what", "outcome", "user", "room", "asked"].map(member).join(" ")
    };
    let mut told: Vec<String> = records.iter().map(short).collect();
    // Either may be written down first: what was asked, or what came of it.
    told[10..].sort();
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
            "api ok alice - revokeUserTokens",
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

#[tokio::test]
async fn what_the_application_changes_or_may_not_leaves_a_record() {
    let cluster = Plan::nodes(2).with_api().start().await;
    let api = cluster.api(0);
    api.ok("POST", "/v1/rooms", json!({ "id": "r", "name": "a secret name" })).await;
    api.ok("PUT", "/v1/rooms/r/members/ann", json!({ "role": "member" })).await;
    api.no("DELETE", "/v1/rooms/nowhere", Value::Null).await;
    api.ok("DELETE", "/v1/tokens/jti:1%2Fa=", Value::Null).await;
    let text = json!({ "text": "a secret text" });
    let once = [("idempotency-key", "k-1")];
    for _ in 0..2 {
        api.send(("POST", "/v1/rooms/r/messages"), &once, text.to_string()).await;
    }
    // Reading is no change; being kept from it is a refusal.
    api.ok("GET", "/v1/rooms/r", Value::Null).await;
    api.with_key(None).no("GET", "/v1/rooms/r", Value::Null).await;
    api.with_key(Some("nobody's")).no("GET", "/v1/stats", Value::Null).await;
    api.with_key(Some(READER)).no("GET", "/v1/audit", Value::Null).await;
    api.with_key(Some(READER)).no("PUT", "/v1/users/ann/ban", json!({})).await;

    let records = records(&cluster.api(1), 9).await;
    let short = |it: &Value| {
        let member = |name: &str| it[name].as_str().unwrap_or("-").to_owned();
        ["what", "outcome", "key", "user", "room", "asked"].map(member).join(" ")
    };
    let told: Vec<String> = records.iter().map(short).collect();
    assert_eq!(
        told,
        [
            "api ok all - - createRoom",
            "api ok all ann r putMember",
            "api ROOM_NOT_FOUND all - nowhere deleteRoom",
            "api ok all - - revokeToken jti:1/a=",
            "api ok all - r postMessage",
            "api AUTH_REQUIRED - - r readRoom",
            "api AUTH_REQUIRED - - - readStats",
            "api ACCESS_DENIED reader - - listAudit",
            "api ACCESS_DENIED reader ann - banUser",
        ]
    );
    assert!(records.iter().all(|it| it["address"] == "127.0.0.1"), "{records:?}");
    let all = format!("{records:?}{}{}", cluster.log(0), cluster.log(1));
    assert!(!all.contains("a secret") && !all.contains("nobody's"));
}

#[tokio::test]
async fn who_comes_the_older_way_leaves_records_too() {
    let cluster = Plan::nodes(1).with_api().open().start().await;
    let client = reqwest::Client::new();
    let ask = async |token: Option<&str>, ticket: &str| {
        let url = format!("http://{}/api/tickets/{ticket}/chat", cluster.public(0));
        let mut request = client.get(url).header("user-agent", "old/1\u{9}x");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        request.send().await.unwrap().status().as_u16()
    };
    let ann = token("ann");
    let expired = sign(&json!({ "sub": "ann", "exp": in_seconds(-60) }));
    for _ in 0..3 {
        assert_eq!(ask(None, "7").await, 401);
        assert_eq!(ask(Some("garbage-that-must-not-be-kept"), "7").await, 401);
        assert_eq!(ask(Some(&expired), "7").await, 401);
        assert_eq!(ask(Some(&ann), "7").await, 200);
        assert_eq!(ask(Some(&ann), "user_bob").await, 403);
    }
    let records = records(&cluster.api(0), 5).await;
    let short = |it: &Value| {
        let member = |name: &str| it[name].as_str().unwrap_or("-").to_owned();
        ["what", "outcome", "user", "room", "asked", "agent", "address"].map(member).join(" ")
    };
    let told: Vec<String> = records.iter().map(short).collect();
    // Once a minute, like what a connection is refused for.
    assert_eq!(
        told,
        [
            "authenticate no_token - - - old/1x 127.0.0.1",
            "authenticate invalid - - - old/1x 127.0.0.1",
            "authenticate expired - - - old/1x 127.0.0.1",
            "authenticate authenticated ann - - old/1x 127.0.0.1",
            "access ACCESS_DENIED ann user_bob get_messages old/1x 127.0.0.1",
        ]
    );
    assert!(!format!("{records:?}{}", cluster.log(0)).contains("must-not-be-kept"));
}
