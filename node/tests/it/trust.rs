//! Clients that are taken at their word, and where that is refused.

use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::cluster::{Cluster, Plan};
use crate::harness::dial::Dial;
use crate::harness::token::token;

fn word(user: &str, role: &str) -> Value {
    json!({ "userId": user, "caseId": "case-1", "role": role, "userName": format!("Dr {user}") })
}

fn dial(cluster: &Cluster, node: usize, auth: Value) -> Dial {
    cluster.dial(node).namespace("/chat").auth(auth)
}

async fn enter(cluster: &Cluster, node: usize, user: &str, role: &str) -> Client {
    let mut client = dial(cluster, node, word(user, role)).connect().await;
    client.expect("auth:authenticated").await;
    client
}

/// Nodes that take clients at their word, though rooms have to exist or be granted.
async fn trusting() -> Cluster {
    let plan = Plan::nodes(2).with("PARLANCE_AUTH__JWT_SECRET", "");
    let plan = plan.with("PARLANCE_BLOBS__SECRET", "for links alone");
    plan.with("PARLANCE_ROOMS__POLICY", "members")
        .with("PARLANCE_AUTH__MODE", "trust")
        .start()
        .await
}

#[tokio::test]
async fn whoever_says_who_they_are_needs_no_token_and_is_bound_by_it() {
    let cluster = trusting().await;
    let mut ann = enter(&cluster, 0, "ann", "user").await;
    let mut vic = enter(&cluster, 1, "vic", "admin").await;
    let send =
        |text: &str, sender: &str| json!({ "caseId": "case-1", "text": text, "sender": sender });
    ann.ok("message:send", send("help", "user")).await;
    let heard = vic.expect("message:receive").await;
    assert_eq!((&heard["userId"], &heard["userName"]), (&json!("ann"), &json!("Dr ann")));
    vic.ok("message:send", send("here", "support")).await;
    assert_eq!(ann.expect("message:receive").await["sender"], "user");
    assert_eq!(ann.expect("message:receive").await["sender"], "support");
    assert_eq!(ann.refused("message:send", send("x", "support")).await["code"], "ACCESS_DENIED");
    let other =
        json!({ "caseId": "case-2", "userId": "vic", "role": "user", "userName": "Dr ann" });
    ann.emit("auth:join", other).await;
    assert_eq!(ann.expect("auth:error").await["code"], "ACCESS_DENIED");
    ann.emit("auth:join", json!({ "caseId": "case-2" })).await;
    ann.expect("auth:authenticated").await;
}

#[tokio::test]
async fn a_word_opens_no_other_door() {
    let cluster = trusting().await;
    let mut with_token = word("ann", "user");
    with_token["token"] = json!(token("ann"));
    let mut nameless = word("ann", "user");
    nameless["userId"] = Value::Null;
    for (auth, code) in [(with_token, "AUTH_REQUIRED"), (nameless, "INVALID_DATA")] {
        let refused = dial(&cluster, 0, auth.clone()).try_connect().await.unwrap_err();
        assert_eq!(refused["data"]["code"], code, "{auth}");
    }
    for namespace in ["/conversation", "/desk"] {
        let refused = cluster.dial(0).namespace(namespace).auth(word("ann", "user"));
        let refused = refused.try_connect().await.unwrap_err();
        assert_eq!(refused["data"]["code"], "AUTH_REQUIRED", "{namespace}");
    }
    let mut unknown = cluster.dial(0).auth(word("ann", "user")).connect().await;
    let answer = unknown.refused("conversation:join", json!("case-1")).await;
    assert_eq!(answer["code"], "AUTH_REQUIRED");
}

#[tokio::test]
async fn a_dialect_that_wants_its_token_at_once_says_so_when_it_is_asked_for_by_name() {
    let cluster = Cluster::of_two().await;
    for dial in [
        cluster.dial(0).auth(json!({ "dialect": "desk" })),
        cluster.dial(0).query("dialect", "desk"),
    ] {
        let refused = dial.try_connect().await.unwrap_err();
        assert_eq!(refused["data"]["code"], "AUTH_REQUIRED");
    }
    let mut later = cluster.dial(1).namespace("/ticket").connect().await;
    later.ok("authenticate", json!({ "token": token("ann") })).await;
}
