//! A protocol that no release ships: a file in a folder, played between two nodes.

use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::cluster::{Cluster, Plan};
use crate::harness::token::{in_seconds, sign};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples/dialects");

async fn enter(cluster: &Cluster, node: usize, user: &str, role: &str) -> Client {
    let claims = json!({ "sub": user, "role": role, "exp": in_seconds(3_600) });
    let auth = json!({ "token": sign(&claims) });
    let mut client = cluster.dial(node).namespace("/classroom").auth(auth).connect().await;
    client.ok("class:enter", json!({ "class": "maths" })).await;
    client
}

fn say(words: &str) -> Value {
    json!({ "class": "maths", "words": words })
}

#[tokio::test]
async fn a_sixth_protocol_is_a_file_and_meets_the_others() {
    let cluster = Plan::nodes(2).with("PARLANCE_DIALECTS__DIR", FOLDER).start().await;
    let mut teacher = enter(&cluster, 0, "euler", "agent").await;
    let mut pupil = enter(&cluster, 1, "ann", "user").await;
    assert_eq!(teacher.expect("class:entered").await, json!({ "class": "maths", "who": "ann" }));
    let mut bob = cluster.join(0, "bob", "maths").await;

    teacher.ok("say", say("what is 1 < 2?")).await;
    let said = pupil.expect("said").await;
    assert_eq!((&said["as"], &said["words"]), (&json!("teacher"), &json!("what is 1 &lt; 2?")));
    assert_eq!(bob.expect("message:new").await["content"], "what is 1 < 2?");
    bob.say("maths", "true").await;
    assert_eq!(pupil.expect("said").await["by"], "bob");

    pupil.ok("hand", json!({ "class": "maths", "up": true })).await;
    let up = json!({ "class": "maths", "who": "ann", "up": true });
    assert_eq!(teacher.expect("hand").await, up);
    pupil.ok("hand", json!({ "class": "maths", "up": false })).await;
    assert_eq!(teacher.expect("hand").await["up"], false);
    let board = pupil.ok("board", json!({ "class": "maths", "lines": 1 })).await;
    assert_eq!(
        (&board["lines"], &board["all"]),
        (&json!([{ "by": "bob", "words": "true" }]), &json!(2))
    );

    pupil.emit("say", json!({ "class": "history", "words": "x" })).await;
    assert_eq!(pupil.expect("sorry").await["code"], "NOT_A_MEMBER");
    pupil.emit("shout", json!({})).await;
    assert_eq!(pupil.expect("sorry").await["code"], "UNKNOWN_EVENT");
}
