//! Crisis-support cases: who connects names its case and is in it, and closing it is seen by all.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::cluster::{Cluster, Plan};
use crate::harness::dial::Dial;
use crate::harness::token::{in_seconds, sign};
use crate::harness::{SOON, allowed};

/// A user who is gone for less has reloaded the page.
const GRACE: Duration = Duration::from_secs(5);

/// A token of a user of either side, without a name.
fn token(user: &str, role: &str) -> String {
    sign(&json!({ "sub": user, "role": role, "exp": in_seconds(3_600) }))
}

fn greeting(user: &str, role: &str, case: &str) -> Value {
    let name = format!("{user}'s name");
    json!({
        "userId": user, "caseId": case, "role": role, "userName": name, "token": token(user, role),
    })
}

fn dial(cluster: &Cluster, node: usize, auth: Value) -> Dial {
    cluster.dial(node).namespace("/chat").auth(auth)
}

async fn enter(cluster: &Cluster, node: usize, user: &str, role: &str) -> Client {
    let mut client = dial(cluster, node, greeting(user, role, "case-1")).connect().await;
    let authenticated = json!({ "success": true, "message": "Authenticated" });
    assert_eq!(client.expect("auth:authenticated").await, authenticated);
    client
}

fn online(user: &str, role: &str) -> Value {
    let name = format!("{user}'s name");
    json!({ "caseId": "case-1", "userId": user, "userName": name, "role": role })
}

#[tokio::test]
async fn who_connects_is_in_the_case_and_everyone_there_knows() {
    let cluster = Cluster::of_two().await;
    let mut ann = enter(&cluster, 0, "ann", "user").await;
    assert_eq!(ann.expect("user:online").await, online("ann", "user"));
    let mut vic = enter(&cluster, 1, "vic", "volunteer").await;
    assert_eq!(ann.expect("user:online").await, online("vic", "volunteer"));
    let mut heard = vic.expect_many("user:online", 2, SOON).await;
    heard.sort_by_key(|it| it["userId"].to_string());
    assert_eq!(heard, [online("ann", "user"), online("vic", "volunteer")]);

    // A second device of hers is no news to him, and hears of both.
    let mut phone = enter(&cluster, 1, "ann", "user").await;
    phone.expect_many("user:online", 2, SOON).await;
    // Joining again answers again and changes nothing.
    vic.emit("auth:join", json!({ "caseId": "case-1", "userId": "vic" })).await;
    vic.expect("auth:authenticated").await;
    assert_eq!(vic.heard("user:online").len(), 2);

    drop(phone);
    ann.disconnect().await;
    let offline = vic.expect_within("user:offline", allowed(GRACE) + SOON).await;
    assert_eq!(offline, json!({ "caseId": "case-1", "userId": "ann" }));
    assert_eq!(vic.heard("user:offline").len(), 1);
}

#[tokio::test]
async fn a_case_and_a_conversation_are_one_room_in_two_languages() {
    let cluster = Cluster::of_two().await;
    let mut ann = enter(&cluster, 0, "ann", "user").await;
    let mut vic = enter(&cluster, 1, "vic", "volunteer").await;
    let mut bob = cluster.join(1, "bob", "case-1").await;

    let send = json!({ "caseId": "case-1", "text": "help", "sender": "user" });
    let ack = ann.ok("message:send", send).await;
    let help = json!({
        "id": ack["id"],
        "caseId": "case-1",
        "text": "help",
        "sender": "user",
        "userId": "ann",
        "userName": "ann's name",
        "role": "user",
        "timestamp": ack["timestamp"],
    });
    assert_eq!(ann.expect("message:receive").await, help, "the sender hears it too");
    assert_eq!(vic.expect("message:receive").await, help);
    let message = bob.expect("message:new").await;
    assert_eq!((&message["content"], &message["senderId"]), (&json!("help"), &json!("ann")));

    bob.say("case-1", "hello").await;
    for client in [&mut ann, &mut vic] {
        let message = client.expect("message:receive").await;
        assert_eq!((&message["text"], &message["sender"]), (&json!("hello"), &json!("user")));
    }
    vic.emit("message:send", json!({ "caseId": "case-1", "text": "here", "sender": "support" }))
        .await;
    let message = ann.expect("message:receive").await;
    assert_eq!((&message["sender"], &message["role"]), (&json!("support"), &json!("volunteer")));

    vic.emit("typing:start", json!({ "caseId": "case-1", "userName": "vic's name" })).await;
    let typing = json!({ "caseId": "case-1", "userName": "vic's name" });
    assert_eq!(ann.expect("typing:start").await, typing);
    assert_eq!(bob.expect("typing:start").await["userId"], "vic");
    bob.ok("typing:start", json!({ "conversationId": "case-1" })).await;
    assert_eq!(ann.expect("typing:start").await["userName"], "bob");
    vic.emit("typing:stop", json!({ "caseId": "case-1" })).await;
    assert_eq!(ann.expect("typing:stop").await, json!({ "caseId": "case-1" }));
    assert_eq!(vic.expect("typing:start").await["userName"], "bob", "nobody hears of themselves");
}

#[tokio::test]
async fn closing_a_case_is_seen_by_all_and_ends_it() {
    let cluster = Cluster::of_two().await;
    let mut ann = enter(&cluster, 0, "ann", "user").await;
    let mut vic = enter(&cluster, 1, "vic", "volunteer").await;
    let mut bob = cluster.join(0, "bob", "case-1").await;
    let stranger = json!({ "caseId": "case-2" });
    assert_eq!(vic.refused("session:closed", stranger).await["code"], "NOT_A_MEMBER");

    vic.ok("session:closed", json!({ "caseId": "case-1", "reason": "solved" })).await;
    let closed = json!({ "caseId": "case-1", "reason": "solved" });
    assert_eq!(ann.expect("session:closed").await, closed);
    assert_eq!(vic.expect("session:closed").await, closed);
    let updated = bob.expect("conversation:updated").await;
    assert_eq!((&updated["id"], &updated["status"]), (&json!("case-1"), &json!("closed")));

    let send = json!({ "caseId": "case-1", "text": "still there?", "sender": "user" });
    assert_eq!(ann.refused("message:send", send).await["code"], "ROOM_INACTIVE");
    let close = json!({ "caseId": "case-1" });
    assert_eq!(ann.refused("session:closed", close).await["code"], "ROOM_INACTIVE");
    // It can still be read.
    enter(&cluster, 1, "eve", "user").await;
}

#[tokio::test]
async fn a_wrong_connect_is_refused_and_says_why() {
    let cluster = Cluster::of_two().await;
    let without = |name: &str| {
        let mut auth = greeting("ann", "user", "case-1");
        auth.as_object_mut().unwrap().remove(name);
        auth
    };
    let with = |name: &str, value: &str| {
        let mut auth = greeting("ann", "user", "case-1");
        auth[name] = json!(value);
        auth
    };
    for (auth, code) in [
        (without("token"), "AUTH_REQUIRED"),
        (with("token", "x"), "AUTH_REQUIRED"),
        (without("userId"), "INVALID_DATA"),
        (without("caseId"), "INVALID_DATA"),
        (without("role"), "INVALID_DATA"),
        (without("userName"), "INVALID_DATA"),
        (with("role", "boss"), "INVALID_DATA"),
        (with("userId", "eve"), "ACCESS_DENIED"),
        (with("role", "volunteer"), "ACCESS_DENIED"),
    ] {
        let way = dial(&cluster, 0, auth.clone());
        let refused = way.clone().try_connect().await.unwrap_err();
        assert_eq!(refused["data"]["code"], code, "{auth}");
        // The engine under long-polling carries no data: there the message is the code.
        let refused = way.polling().try_connect().await.unwrap_err();
        assert_eq!(refused, json!({ "message": code }), "{auth}");
    }
}

#[tokio::test]
async fn a_case_that_is_not_ones_own_is_an_error_and_the_connection_lives() {
    let cluster = Plan::nodes(2).with("PARLANCE_ROOMS__POLICY", "members").start().await;
    let mut auth = greeting("ann", "user", "case-1");
    auth["token"] = json!(sign(&json!({
        "sub": "ann", "role": "user", "rooms": ["case-2"], "exp": in_seconds(3_600),
    })));
    let mut ann = dial(&cluster, 0, auth).connect().await;
    let error = ann.expect("auth:error").await;
    assert_eq!(error["code"], "ROOM_NOT_FOUND");
    assert!(error["message"].is_string());
    ann.emit("auth:join", json!({ "caseId": "case-2", "userId": "ann" })).await;
    ann.expect("auth:authenticated").await;
    ann.emit("auth:join", json!({ "caseId": "case-2", "userId": "bob" })).await;
    assert_eq!(ann.expect("auth:error").await["code"], "ACCESS_DENIED");
    let forged = json!({ "caseId": "case-2", "text": "x", "sender": "support" });
    ann.emit("message:send", forged).await;
    let denied = json!({ "message": "Access denied", "code": "ACCESS_DENIED" });
    assert_eq!(ann.expect("error").await, denied);
    let send = json!({ "caseId": "case-2", "text": "mine", "sender": "user" });
    assert_eq!(ann.ok("message:send", send).await["seq"], 1);
}

#[tokio::test]
async fn a_client_that_comes_back_hears_what_it_missed() {
    let cluster = Cluster::of_two().await;
    let mut ann = enter(&cluster, 0, "ann", "user").await;
    let mut vic = enter(&cluster, 1, "vic", "volunteer").await;
    let send = |text: &str| json!({ "caseId": "case-1", "text": text, "sender": "support" });
    let first = vic.ok("message:send", send("first")).await;
    ann.expect("message:receive").await;
    ann.disconnect().await;
    vic.ok("message:send", send("second")).await;
    let mut auth = greeting("ann", "user", "case-1");
    auth["since"] = first["id"].clone();
    let mut ann = dial(&cluster, 1, auth).connect().await;
    assert_eq!(ann.expect("message:receive").await["text"], "second");
    vic.ok("message:send", send("third")).await;
    assert_eq!(ann.expect("message:receive").await["text"], "third");
    assert_eq!(ann.heard("message:receive").len(), 2);
}

#[tokio::test]
async fn a_name_of_the_token_stands_even_where_it_reads_like_the_id() {
    let cluster = Cluster::of_two().await;
    let claims = json!({ "sub": "ann", "name": "ann", "exp": in_seconds(3_600) });
    let greeting = |name: &str| {
        json!({ "userId": "ann", "caseId": "case-1", "role": "user", "userName": name,
            "token": sign(&claims) })
    };
    let refused = dial(&cluster, 0, greeting("The Director")).try_connect().await.unwrap_err();
    assert_eq!(refused["data"]["code"], "ACCESS_DENIED", "{refused}");
    let mut ann = dial(&cluster, 0, greeting("ann")).connect().await;
    assert_eq!(ann.expect("user:online").await["userName"], "ann");
}
