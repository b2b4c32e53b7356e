//! Rooms that people make: who is in, who is kept out, and what is told of the room.

use serde_json::{Value, json};

use crate::harness::cluster::{Cluster, Plan};
use crate::harness::token::{in_seconds, sign};

/// A dialect that makes rooms.
const DIALECTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/dialects");

async fn strict() -> Cluster {
    let plan = Plan::nodes(2).with("PARLANCE_ROOMS__POLICY", "members");
    plan.with("PARLANCE_DIALECTS__DIR", DIALECTS).start().await
}

#[tokio::test]
async fn a_private_room_is_its_makers_and_a_public_one_everybodys() {
    let cluster = strict().await;
    let mut ann = cluster.connect(0, "ann").await;
    let mut bob = cluster.connect(1, "bob").await;

    let made = json!({ "name": " Ours ", "about": "only\nus", "for": "private" });
    let ours = ann.ok("make", made).await;
    assert_eq!((&ours["name"], &ours["about"]), (&json!("Ours"), &json!("only\nus")));
    assert_eq!(ours["for"], json!("private"));
    let refused = bob.refused("enter", ours["id"].clone()).await;
    assert_eq!(refused["code"], json!("ACCESS_DENIED"));
    let entered = ann.ok("enter", ours["id"].clone()).await;
    assert_eq!(
        entered,
        json!({ "ok": true, "name": "Ours", "about": "only\nus", "for": "private" })
    );
    // Making a room is not coming in: only now she may write.
    let other = ann.ok("make", json!({ "name": "All" })).await;
    let text = json!({ "conversationId": other["id"], "content": "hi" });
    assert_eq!(ann.refused("message:send", text.clone()).await["code"], json!("NOT_A_MEMBER"));
    bob.ok("enter", other["id"].clone()).await;
    bob.ok("message:send", text).await;

    let unknown = ann.refused("enter", json!("nowhere")).await;
    assert_eq!(unknown["code"], json!("ROOM_NOT_FOUND"));
}

#[tokio::test]
async fn a_room_that_a_grant_made_is_called_by_its_id() {
    let cluster = strict().await;
    let claims = json!({ "sub": "ann", "rooms": ["r-*"], "exp": in_seconds(3_600) });
    let auth = json!({ "token": sign(&claims) });
    let mut ann = cluster.dial(0).auth(auth).connect().await;
    let entered = ann.ok("enter", json!("r-1")).await;
    assert_eq!(entered, json!({ "ok": true, "name": "r-1", "about": "", "for": "public" }));
    let mut bob = cluster.connect(1, "bob").await;
    assert_eq!(bob.refused("enter", json!("r-1")).await["code"], json!("ACCESS_DENIED"));
}

#[tokio::test]
async fn what_is_no_room_is_refused_and_makers_are_limited() {
    let cluster = strict().await;
    let mut ann = cluster.connect(0, "ann").await;
    let long = "x".repeat(2_001);
    let wrong: [Value; 6] = [
        json!({}),
        json!({ "name": " " }),
        json!({ "name": "a\u{1b}[31m" }),
        json!({ "name": "x".repeat(201) }),
        json!({ "name": "a", "about": long }),
        json!({ "name": "a", "for": "friends" }),
    ];
    for argument in wrong {
        assert_eq!(ann.refused("make", argument).await["code"], json!("INVALID_DATA"));
    }
    for _ in 0..10 {
        ann.ok("make", json!({ "name": "a" })).await;
    }
    let refused = ann.refused("make", json!({ "name": "a" })).await;
    assert_eq!(refused["code"], json!("RATE_LIMIT_EXCEEDED"));
}
