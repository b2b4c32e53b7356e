//! Who may come in, until when.

use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::harness::cluster::Cluster;
use crate::harness::dial::Dial;
use crate::harness::journal::Standing;
use crate::harness::token::{in_seconds, sign, sign_with, token};

/// A good payload but for one claim.
fn with_claim(name: &str, value: Value) -> String {
    let mut claims = json!({ "sub": "alice", "exp": in_seconds(600) });
    claims[name] = value;
    sign(&claims)
}

/// `{"alg":"none"}`, a good payload, and no signature.
const UNSIGNED: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSIsImV4cCI6NDEwMjQ0NDgwMH0.";

/// Signed by a key that the token itself carries and points at.
fn with_own_key() -> String {
    let mut header = Header::new(Algorithm::HS256);
    header.jwk = serde_json::from_value(json!({ "kty": "oct", "k": "bXkgb3duIHNlY3JldA" })).ok();
    header.jku = Some("https://evil.example/keys".to_owned());
    header.kid = Some("../../../../dev/null".to_owned());
    let claims = json!({ "sub": "alice", "exp": in_seconds(600) });
    encode(&header, &claims, &EncodingKey::from_secret(b"my own secret")).unwrap()
}

async fn check_refused(dial: Dial, what: &str) {
    let why = dial.try_connect().await.expect_err(what);
    let message = why["message"].as_str().unwrap_or_default();
    let known = ["Authentication required", "AUTH_REQUIRED"].contains(&message);
    assert!(known, "{what}: {why}");
}

#[tokio::test]
async fn a_token_that_does_not_verify_is_refused_at_connect() {
    let cluster = Cluster::of_two().await;
    let good = json!({ "sub": "alice", "exp": in_seconds(600) });
    let bad = [
        ("empty", json!("")),
        ("null", Value::Null),
        ("a number", json!(7)),
        ("no token at all", json!("garbage")),
        ("unsigned", json!(UNSIGNED)),
        ("another secret", json!(sign_with(&good, "somebody else's secret, also long enough"))),
        ("expired", json!(with_claim("exp", json!(in_seconds(-60))))),
        ("no end", json!(sign(&json!({ "sub": "alice" })))),
        ("an end in words", json!(with_claim("exp", json!("tomorrow")))),
        ("an end beyond all time", json!(with_claim("exp", json!(1_u64 << 63)))),
        ("not yet valid", json!(with_claim("nbf", json!(in_seconds(300))))),
        ("a begin in words", json!(with_claim("nbf", json!("now")))),
        ("a key of its own", json!(with_own_key())),
        ("nobody's", json!(sign(&json!({ "exp": in_seconds(600) })))),
        ("a user that is no id", json!(with_claim("sub", json!("a}{b")))),
    ];
    for (what, token) in bad {
        let dial = cluster.dial(0).auth(json!({ "token": token }));
        check_refused(dial.clone(), what).await;
        check_refused(dial.clone().polling(), what).await;
        check_refused(dial.namespace("/conversation"), what).await;
    }
    check_refused(cluster.dial(0).namespace("/conversation"), "no token").await;
    let mallory = format!("Bearer {}", token("mallory"));
    let two = cluster.dial(0).user("alice").header("authorization", &mallory);
    check_refused(two, "two tokens that disagree").await;
}

#[tokio::test]
async fn a_good_token_is_found_in_the_packet_the_header_and_the_cookies() {
    let cluster = Cluster::of_two().await;
    let bearer = format!("Bearer {}", token("alice"));
    let cookie = format!("theme=dark; access_token={}", token("alice"));
    let dials = [
        cluster.dial(0).user("alice"),
        cluster.dial(0).header("authorization", &bearer),
        cluster.dial(0).header("cookie", &cookie),
    ];
    for dial in dials {
        for dial in [dial.clone(), dial.clone().polling(), dial.namespace("/conversation")] {
            let mut client = dial.connect().await;
            assert_eq!(client.expect("connected").await["userId"], "alice");
        }
    }
}

#[tokio::test]
async fn without_a_token_a_connection_may_only_authenticate() {
    let cluster = Cluster::of_two().await;
    // A token in the address would stand in every log on the way: it counts for nothing.
    let dial = cluster.dial(0).query("token", &token("alice"));
    let silent = cluster.dial(0).connect().await;
    match dial.try_connect().await {
        Err(_) => (),
        Ok(mut client) => {
            let error = client.refused("conversation:join", json!("room")).await;
            assert_eq!(error["code"], "AUTH_REQUIRED");
        }
    }

    let mut client = cluster.dial(0).connect().await;
    for (event, argument) in [
        ("conversation:join", json!("room")),
        ("message:send", json!({ "conversationId": "room", "content": "x" })),
        ("user:status", json!("away")),
    ] {
        assert_eq!(client.refused(event, argument).await["code"], "AUTH_REQUIRED", "{event}");
    }
    client.refused("authenticate", json!({ "token": "garbage" })).await;
    client.ok("authenticate", json!({ "token": token("alice") })).await;
    let authenticated = client.expect("authenticated").await;
    assert_eq!(authenticated["user"]["id"], "alice");
    client.ok("conversation:join", json!("room")).await;
    assert_eq!(client.say("room", "in").await["seq"], 1);

    // Whoever never authenticates is told to go, and not to come back by itself.
    assert_eq!(silent.ended(Duration::from_secs(15)).await, Standing::Disconnected);
    let errors = silent.heard("error");
    assert_eq!(errors.last().map(|it| it["code"].clone()), Some(json!("AUTH_REQUIRED")));
}

#[tokio::test]
async fn a_tokens_end_is_announced_and_closes_the_transport() {
    let cluster = Cluster::of_two().await;
    let short = || json!({ "token": sign(&json!({ "sub": "alice", "exp": in_seconds(4) })) });
    let mut left = cluster.dial(0).auth(short()).connect().await;
    let mut renewed = cluster.dial(1).auth(short()).connect().await;
    for client in [&mut left, &mut renewed] {
        assert!(client.expect("token:expiring").await["expiresAt"].is_string());
        client.ok("conversation:join", json!("room")).await;
    }
    renewed.ok("authenticate", json!({ "token": token("alice") })).await;

    // No DISCONNECT: a client whose cookie was renewed comes back by itself.
    assert_eq!(left.ended(Duration::from_secs(4 + 30)).await, Standing::Connected);
    assert_eq!(renewed.say("room", "still here").await["seq"], 1);
    assert!(renewed.is_open());
    // Somebody else's token does not renew this connection.
    renewed.refused("authenticate", json!({ "token": token("mallory") })).await;
}
