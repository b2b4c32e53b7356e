//! A desk's lists and figures: who is online, what happens in rooms where one is not, how much there is.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::cluster::{Cluster, Plan};
use crate::harness::token::{in_seconds, sign};
use crate::harness::{SOON, allowed};

/// Holds a dialect that makes rooms.
const DIALECTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/dialects");

/// Figures are told at most so often.
const STATS_EVERY: Duration = Duration::from_secs(5);

async fn connect(cluster: &Cluster, node: usize, user: u32, role: &str) -> Client {
    let claims = json!({
        "sub": user.to_string(),
        "name": "Dr Jo van Dyke",
        "given_name": "Jo",
        "family_name": "van Dyke",
        "role": role,
        "exp": in_seconds(3_600),
    });
    cluster.dial(node).auth(json!({ "token": sign(&claims) })).connect().await
}

async fn chat(client: &mut Client, group: &Value) {
    client.ok("joinChatGroup", json!({ "groupId": group })).await;
}

fn listed(list: &Value) -> Vec<u64> {
    let users = list["onlineUsers"].as_array().unwrap().iter();
    let mut ids: Vec<u64> = users.filter_map(|it| it["userId"].as_u64()).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn a_client_who_has_asked_is_told_who_comes_into_its_chat() {
    let cluster = Cluster::of_two().await;
    let mut client = connect(&cluster, 0, 7, "client").await;
    client.ok("userOnline", json!({ "userId": 7 })).await;
    assert_eq!(listed(&client.expect("onlineUsersUpdate").await), [7]);
    chat(&mut client, &json!(456)).await;
    let mut agent = connect(&cluster, 1, 123, "agent").await;
    chat(&mut agent, &json!(456)).await;
    while listed(&client.expect("onlineUsersUpdate").await) != [7, 123] {}
    agent.ok("leaveRoom", json!({ "chatGroupId": 456 })).await;
    while listed(&client.expect("onlineUsersUpdate").await) != [7] {}
    let mut other = connect(&cluster, 1, 8, "client").await;
    chat(&mut other, &json!(457)).await;
    other.ok("userOnline", json!({ "userId": 8 })).await;
    assert_eq!(listed(&other.expect("onlineUsersUpdate").await), [8], "only its own chat");

    other.ok("sendMessage", json!({ "message": "hello", "chatGroupId": 457 })).await;
    let profile = other.expect("receiveMessage").await["sender"]["profile"].clone();
    assert_eq!(profile, json!({ "prof_firstname": "Jo", "prof_lastname": "van Dyke" }));
}

#[tokio::test]
async fn a_heartbeat_renews_when_one_was_seen_last() {
    let cluster = Plan::nodes(2).unlimited().start().await;
    let mut client = connect(&cluster, 0, 7, "client").await;
    client.ok("userOnline", json!({ "userId": 7 })).await;
    let mut agent = connect(&cluster, 1, 123, "agent").await;
    let mut seen = String::new();
    for _ in 0..2 {
        client.ok("userHeartbeat", json!({ "userId": 7 })).await;
        let before = seen.clone();
        crate::harness::until("the client was seen anew", SOON, async || {
            agent.ok("getOnlineUsers", Value::Null).await;
            let list = agent.expect("onlineUsersList").await;
            let users = list.as_array().unwrap();
            let found = users.iter().find(|it| it["userId"] == 7);
            seen = found.map_or_else(String::new, |it| it["lastSeen"].as_str().unwrap().to_owned());
            before < seen
        })
        .await;
    }
}

#[tokio::test]
async fn members_hear_of_messages_and_of_the_end_wherever_they_are() {
    let plan = Plan::nodes(2).with("PARLANCE_ROOMS__POLICY", "members");
    let cluster = plan.with("PARLANCE_DIALECTS__DIR", DIALECTS).start().await;
    let mut desk = connect(&cluster, 0, 7, "client").await;
    let room = desk.ok("make", json!({ "name": "Ours", "for": "private" })).await["id"].clone();
    let mut phone = connect(&cluster, 1, 7, "client").await;
    // A connection hears in the words that it has used: this one in none of the desk's.
    phone.ok("conversation:join", room.clone()).await;
    desk.ok("userOnline", json!({ "userId": 7 })).await;
    for text in ["one", "two", "three"] {
        phone.ok("message:send", json!({ "conversationId": room, "content": text })).await;
    }
    let news = desk.expect("updateChatGroups").await;
    assert_eq!((&news["action"], &news["chatGroupId"]), (&json!("new_message"), &room));
    assert!(news["timestamp"].is_string());

    let mut admin = connect(&cluster, 1, 1, "admin").await;
    chat(&mut admin, &room).await;
    phone.ok("message:send", json!({ "conversationId": room, "content": "four" })).await;
    let raised = admin.expect("customerListUpdate").await;
    let expected = (&json!("sort"), &json!(1), &room);
    assert_eq!((&raised["action"], &raised["newPosition"], &raised["chatGroupId"]), expected);

    let vic = json!({ "sub": "1", "role": "admin", "exp": in_seconds(3_600) });
    let greeting = json!({
        "userId": "1", "caseId": room, "role": "admin", "userName": "vic", "token": sign(&vic),
    });
    let mut vic = cluster.dial(1).namespace("/chat").auth(greeting).connect().await;
    vic.expect("auth:authenticated").await;
    vic.ok("session:closed", json!({ "caseId": room })).await;
    let is_closing = |it: &Value| it["action"] == "closed";
    while !is_closing(&desk.expect("updateChatGroups").await) {}
    while !is_closing(&admin.expect("updateChatGroups").await) {}
    // In the room and a member: told once all the same.
    admin.ok("getOnlineUsers", Value::Null).await;
    assert_eq!(admin.heard("updateChatGroups").iter().filter(|it| is_closing(it)).count(), 1);
    assert_eq!(phone.heard("updateChatGroups"), [Value::Null; 0]);
    // Four messages within a moment are not four hints.
    let hints = desk.heard("updateChatGroups").into_iter().filter(|it| !is_closing(it)).count();
    assert!((1..=4).contains(&hints), "{hints}");
}

#[tokio::test]
async fn an_admin_watches_the_clusters_figures() {
    let cluster = Cluster::of_two().await;
    let mut agent = connect(&cluster, 1, 123, "agent").await;
    assert_eq!(agent.refused("getRoomStats", Value::Null).await["code"], "ACCESS_DENIED");
    let mut admin = connect(&cluster, 0, 1, "admin").await;
    admin.emit("getRoomStats", Value::Null).await;
    let first = admin.expect("roomStatsUpdate").await;
    assert_eq!((&first["totalRooms"], &first["activeRooms"]), (&json!(0), &json!(0)));
    assert!(first["timestamp"].is_string());

    chat(&mut agent, &json!(456)).await;
    let mut client = connect(&cluster, 0, 7, "client").await;
    chat(&mut client, &json!(457)).await;
    let figures = async |admin: &mut Client, expected: [u64; 3]| loop {
        let told = admin.expect_within("roomStatsUpdate", allowed(3 * STATS_EVERY)).await;
        let told = ["totalRooms", "activeRooms", "totalUsers"].map(|it| told[it].as_u64().unwrap());
        if told == expected {
            return;
        }
    };
    figures(&mut admin, [2, 2, 3]).await;
    client.disconnect().await;
    figures(&mut admin, [2, 1, 2]).await;
}

#[tokio::test]
async fn a_room_that_is_opened_again_counts_as_active_if_somebody_is_in_it() {
    let cluster = Plan::nodes(2).with_api().start().await;
    let api = cluster.api(1);
    for room in ["456", "457"] {
        api.ok("POST", "/v1/rooms", json!({ "id": room, "visibility": "public" })).await;
    }
    let _inside = cluster.join(0, "7", "456").await;
    let mut admin = connect(&cluster, 0, 1, "admin").await;
    for (change, expected) in [(None, 1), (Some("close"), 0), (Some("reopen"), 1)] {
        for room in ["456", "457"] {
            let body = if change == Some("close") { json!({}) } else { Value::Null };
            if let Some(change) = change {
                api.ok("POST", &format!("/v1/rooms/{room}/{change}"), body).await;
            }
        }
        crate::harness::until("the figure is right", SOON, async || {
            admin.ok("getRoomStats", Value::Null).await;
            admin.expect("roomStatsUpdate").await["activeRooms"] == json!(expected)
        })
        .await;
    }
}

#[tokio::test]
async fn who_is_banned_from_a_room_hears_no_news_of_it_either() {
    let cluster = Plan::nodes(2).unlimited().with_api().start().await;
    let api = cluster.api(0);
    for room in ["456", "457"] {
        let made = json!({ "id": room, "members": ["7", "8"], "department": "sales" });
        api.ok("POST", "/v1/rooms", made).await;
    }
    // Both hear a room's news without being in it; the agents by their department.
    let mut banned = connect(&cluster, 1, 7, "client").await;
    let mut other = connect(&cluster, 1, 8, "client").await;
    let agent = json!({ "sub": "9", "role": "agent", "departments": ["sales"],
        "exp": in_seconds(3_600) });
    let mut agent = cluster.dial(1).auth(json!({ "token": sign(&agent) })).connect().await;
    for (client, id) in [(&mut banned, 7), (&mut other, 8), (&mut agent, 9)] {
        client.ok("userOnline", json!({ "userId": id })).await;
    }
    for user in [7, 9] {
        api.ok("PUT", &format!("/v1/rooms/456/bans/{user}"), json!({})).await;
    }
    // Redis lets a room have its turn once a second, so each is told of by its own.
    api.ok("POST", "/v1/rooms/456/messages", json!({ "text": "unheard" })).await;
    while other.expect("updateChatGroups").await["chatGroupId"] != json!(456) {}
    api.ok("POST", "/v1/rooms/456/close", json!({})).await;
    while other.expect("updateChatGroups").await["action"] != json!("closed") {}
    // Later markers on the same paths.
    api.ok("POST", "/v1/rooms/457/messages", json!({ "text": "heard" })).await;
    assert_eq!(banned.expect("updateChatGroups").await["chatGroupId"], json!(457));
    assert_eq!(agent.expect("customerListUpdate").await["chatGroupId"], json!(457));
}
