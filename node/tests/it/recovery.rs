//! What a connection that is taken up has, and what it has no more.

use serde_json::{Value, json};

use crate::harness::SOON;
use crate::harness::client::{Client, contents};
use crate::harness::cluster::{Cluster, Plan};
use crate::harness::journal::{Journal, Standing};
use crate::harness::token::{in_seconds, sign, token};

async fn started() -> Cluster {
    Plan::nodes(2).unlimited().with_api().start().await
}

/// The private name of its connection.
fn pid(client: &Client) -> Value {
    client.look(|it| it.connected.as_ref().unwrap()["pid"].clone())
}

/// Somebody with this token comes back to what the connection of this name had.
async fn returned(cluster: &Cluster, node: usize, token: &str, pid: &Value) -> Client {
    cluster.dial(node).auth(json!({ "token": token, "pid": pid })).connect().await
}

async fn banned(path: &str) -> (Cluster, Client, Client) {
    let cluster = started().await;
    let api = cluster.api(0);
    for room in ["r", "s"] {
        api.ok("POST", "/v1/rooms", json!({ "id": room, "visibility": "public" })).await;
    }
    let mut ann = cluster.join(1, "ann", "r").await;
    ann.ok("conversation:join", json!("s")).await;
    let mut bob = cluster.join(0, "bob", "r").await;
    bob.ok("conversation:join", json!("s")).await;
    let pid = pid(&bob);
    drop(bob);
    api.ok("PUT", path, json!({})).await;
    ann.say("r", "secret").await;
    ann.say("s", "public").await;
    let bob = returned(&cluster, 1, &token("bob"), &pid).await;
    assert_eq!(self::pid(&bob), pid, "it is the same connection to its client");
    (cluster, ann, bob)
}

#[tokio::test]
async fn who_lost_a_room_while_away_hears_and_says_nothing_more_there() {
    let (_cluster, mut ann, mut bob) = banned("/v1/rooms/r/bans/bob").await;
    // Whichever comes first, his word or his being let in again.
    let send = json!({ "conversationId": "r", "content": "x" });
    let code = bob.refused("message:send", send).await["code"].clone();
    assert!(code == "ACCESS_DENIED" || code == "NOT_A_MEMBER", "{code}");
    ann.say("r", "still secret").await;
    ann.say("s", "the end").await;
    let heard = bob.expect_many("message:new", 2, SOON).await;
    assert_eq!(contents(&heard), ["public", "the end"]);
    assert_eq!(bob.heard("error").len(), 1, "he is told once");
}

#[tokio::test]
async fn who_was_banned_while_away_is_put_out_and_hears_nothing() {
    let (_cluster, _ann, bob) = banned("/v1/users/bob/ban").await;
    let is_out = |it: &Journal| it.standing == Standing::Disconnected;
    bob.wait("bob is put out", SOON, is_out).await;
    assert_eq!(bob.heard("message:new"), Vec::<Value>::new());
}

#[tokio::test]
async fn whose_token_was_taken_back_has_nothing_to_come_back_to() {
    let cluster = Plan::nodes(2).with_api().open().start().await;
    let issued = |seconds: i64| {
        let times = (in_seconds(seconds), in_seconds(600));
        sign(&json!({ "sub": "alice", "iat": times.0, "exp": times.1 }))
    };
    let mut alice = cluster.dial(0).auth(json!({ "token": issued(-5) })).connect().await;
    alice.ok("conversation:join", json!("room")).await;
    let pid = pid(&alice);
    cluster.api(0).revoke_user("alice").await;
    alice.ended(SOON).await;
    let refused = cluster.dial(1).auth(json!({ "token": issued(-5), "pid": pid }));
    assert_eq!(refused.try_connect().await.unwrap_err()["data"]["code"], json!("AUTH_REQUIRED"));
    let mut anew = returned(&cluster, 1, &issued(2), &pid).await;
    assert_ne!(self::pid(&anew), pid);
    let send = json!({ "conversationId": "room", "content": "x" });
    assert_eq!(anew.refused("message:send", send).await["code"], json!("NOT_A_MEMBER"));
}

fn desk(user: u32, role: &str) -> String {
    let exp = in_seconds(600);
    sign(&json!({ "sub": user.to_string(), "name": "Jo", "role": role, "exp": exp }))
}

fn listed(list: &Value) -> Vec<u64> {
    let users = list["onlineUsers"].as_array().unwrap().iter();
    let mut ids: Vec<u64> = users.filter_map(|it| it["userId"].as_u64()).collect();
    ids.sort_unstable();
    ids
}

async fn on_desk(cluster: &Cluster, node: usize, user: u32, role: &str) -> Client {
    cluster.dial(node).auth(json!({ "token": desk(user, role) })).connect().await
}

#[tokio::test]
async fn who_watched_lists_and_figures_goes_on_watching() {
    let cluster = Plan::nodes(2).unlimited().start().await;
    let mut client = on_desk(&cluster, 0, 7, "client").await;
    client.ok("userOnline", json!({ "userId": 7 })).await;
    client.ok("joinChatGroup", json!({ "groupId": 456 })).await;
    let mut admin = on_desk(&cluster, 0, 1, "admin").await;
    admin.ok("getRoomStats", Value::Null).await;
    admin.ok("getOnlineUsers", Value::Null).await;
    let (clients, admins) = (pid(&client), pid(&admin));
    drop((client, admin));

    // What changes meanwhile is told as soon as they are back.
    let mut agent = on_desk(&cluster, 1, 123, "agent").await;
    agent.ok("joinChatGroup", json!({ "groupId": 456 })).await;
    let mut client = returned(&cluster, 1, &desk(7, "client"), &clients).await;
    while listed(&client.expect("onlineUsersUpdate").await) != [7, 123] {}
    let mut admin = returned(&cluster, 1, &desk(1, "admin"), &admins).await;
    assert_eq!(admin.expect("roomStatsUpdate").await["activeRooms"], json!(1));
    while !listed(&admin.expect("onlineUsersUpdate").await).contains(&7) {}
    let mut other = on_desk(&cluster, 0, 8, "client").await;
    other.ok("userOnline", json!({ "userId": 8 })).await;
    while !listed(&admin.expect("onlineUsersUpdate").await).contains(&8) {}
    other.ok("joinChatGroup", json!({ "groupId": 457 })).await;
    while admin.expect("roomStatsUpdate").await["activeRooms"] != json!(2) {}
    // Who may not see them any more is not shown them.
    let pid = pid(&admin);
    drop(admin);
    let mut demoted = returned(&cluster, 0, &desk(1, "agent"), &pid).await;
    while !listed(&demoted.expect("onlineUsersUpdate").await).contains(&8) {}
    assert_eq!(demoted.heard("roomStatsUpdate"), Vec::<Value>::new());
}
