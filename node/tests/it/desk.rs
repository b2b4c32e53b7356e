//! A support desk: numbers as ids, one chat at a time, rooms of departments, and an admin's power.

use serde_json::{Value, json};

use crate::harness::SOON;
use crate::harness::client::Client;
use crate::harness::cluster::Cluster;
use crate::harness::dial::Dial;
use crate::harness::journal::Standing;
use crate::harness::token::{in_seconds, sign};

fn dial(cluster: &Cluster, node: usize, user: u32, role: &str) -> Dial {
    let claims = json!({
        "sub": user.to_string(),
        "name": format!("Jo {user}"),
        "role": role,
        "departments": ["5"],
        "exp": in_seconds(3_600),
    });
    cluster.dial(node).auth(json!({ "token": sign(&claims) }))
}

async fn connect(cluster: &Cluster, node: usize, user: u32, role: &str) -> Client {
    dial(cluster, node, user, role).connect().await
}

fn chat(group: u32, user: u32, side: &str) -> Value {
    json!({ "groupId": group, "userType": side, "userId": user })
}

fn whom(group: u32, user: u32, side: &str) -> Value {
    json!({ "userType": side, "userId": user, "chatGroupId": group })
}

fn send(group: u32, text: &str) -> Value {
    json!({ "message": text, "chatGroupId": group, "clientId": 7 })
}

#[tokio::test]
async fn a_desk_and_a_conversation_are_one_room_in_two_languages() {
    let cluster = Cluster::of_two().await;
    let mut client = connect(&cluster, 0, 7, "client").await;
    client.emit("joinChatGroup", chat(456, 7, "client")).await;
    let info = json!({ "status": "active", "memberCount": 1 });
    let joined = json!({ "chatGroupId": 456, "roomInfo": info });
    assert_eq!(client.expect("joinedRoom").await, joined);
    let mut bob = cluster.join(1, "bob", "456").await;
    assert_eq!(client.expect("userJoined").await["userId"], "bob");
    let mut agent = connect(&cluster, 1, 123, "agent").await;
    agent.emit("joinChatGroup", chat(456, 123, "agent")).await;
    assert_eq!(agent.expect("joinedRoom").await["roomInfo"]["memberCount"], 3);
    assert_eq!(client.expect("userJoined").await, whom(456, 123, "agent"));

    let ack = agent.ok("sendMessage", send(456, "it's <b>")).await;
    let message = json!({
        "chat_id": ack["chat_id"],
        "chat_message": "it&#39;s &lt;b&gt;",
        "chat_created_at": ack["chat_created_at"],
        "sender_type": "agent",
        "chatGroupId": 456,
        "sender": {
            "userId": 123,
            "profile": { "prof_firstname": "Jo", "prof_lastname": "123" },
        },
    });
    assert_eq!(ack["chat_id"], 1);
    assert_eq!(agent.expect("receiveMessage").await, message, "the sender hears it too");
    assert_eq!(client.expect("receiveMessage").await, message);
    assert_eq!(bob.expect("message:new").await["content"], "it's <b>");
    bob.say("456", "hello").await;
    assert_eq!(client.expect("receiveMessage").await["chat_message"], "hello");

    agent.emit("typing", whom(456, 123, "agent")).await;
    let mut typing = whom(456, 123, "agent");
    typing["isTyping"] = json!(true);
    assert_eq!(client.expect("typing").await, typing);
    agent.emit("stopTyping", whom(456, 123, "agent")).await;
    typing["isTyping"] = json!(false);
    assert_eq!(client.expect("stopTyping").await, typing);
    assert_eq!(agent.heard("typing").len(), 0, "nobody hears of themselves");
    agent.emit("leaveRoom", json!({ "chatGroupId": 456 })).await;
    assert_eq!(client.expect("userLeft").await, whom(456, 123, "agent"));
    assert_eq!(agent.refused("sendMessage", send(456, "x")).await["code"], "NOT_A_MEMBER");
}

#[tokio::test]
async fn a_connection_is_in_one_chat_at_a_time() {
    let cluster = Cluster::of_two().await;
    let mut client = connect(&cluster, 0, 7, "client").await;
    client.ok("joinChatGroup", chat(1, 7, "client")).await;
    let mut agent = connect(&cluster, 1, 123, "agent").await;
    agent.ok("joinChatGroup", chat(1, 123, "agent")).await;
    client.expect("userJoined").await;
    agent.ok("joinChatGroup", chat(2, 123, "agent")).await;
    assert_eq!(client.expect("userLeft").await, whom(1, 123, "agent"));
    assert_eq!(agent.refused("sendMessage", send(1, "x")).await["code"], "NOT_A_MEMBER");
    agent.ok("sendMessage", send(2, "here")).await;
    assert_eq!(agent.expect("receiveMessage").await["chatGroupId"], 2);
}

#[tokio::test]
async fn a_closed_chat_cannot_be_joined() {
    let cluster = Cluster::of_two().await;
    let mut client = connect(&cluster, 0, 7, "client").await;
    client.ok("joinChatGroup", chat(1, 7, "client")).await;
    let greeting = json!({
        "userId": "vic", "caseId": "1", "role": "volunteer", "userName": "vic",
        "token": sign(&json!({ "sub": "vic", "role": "volunteer", "exp": in_seconds(3_600) })),
    });
    let mut vic = cluster.dial(1).namespace("/chat").auth(greeting).connect().await;
    vic.expect("auth:authenticated").await;
    vic.ok("session:closed", json!({ "caseId": "1" })).await;
    let closed = client.expect("updateChatGroups").await;
    assert_eq!((&closed["action"], &closed["chatGroupId"]), (&json!("closed"), &json!(1)));
    assert_eq!(client.refused("sendMessage", send(1, "x")).await["code"], "ROOM_INACTIVE");
    let mut late = connect(&cluster, 1, 8, "client").await;
    late.emit("joinChatGroup", chat(1, 8, "client")).await;
    assert_eq!(late.expect("error").await["code"], "ROOM_INACTIVE");
}

#[tokio::test]
async fn agents_hear_their_departments_and_everyone_their_own_room() {
    let cluster = Cluster::of_two().await;
    let mut agent = dial(&cluster, 0, 123, "agent").namespace("/desk").connect().await;
    let mut admin = dial(&cluster, 1, 1, "admin").namespace("/desk").connect().await;
    let mut client = dial(&cluster, 1, 7, "client").namespace("/desk").connect().await;
    // Whoever is answered has been seen to.
    for one in [&mut agent, &mut client] {
        one.ok("getOnlineUsers", Value::Null).await;
    }
    let group = |name: &str| json!({ "groupId": name });
    let tell = |name: &str, text: &str| json!({ "message": text, "chatGroupId": name });
    admin.ok("joinChatGroup", group("dept_5")).await;
    admin.ok("sendMessage", tell("dept_5", "to all agents")).await;
    let heard = agent.expect("receiveMessage").await;
    assert_eq!(
        (&heard["chatGroupId"], &heard["chat_message"]),
        (&json!("dept_5"), &json!("to all agents"))
    );
    assert_eq!(client.refused("joinChatGroup", group("dept_5")).await["code"], "ACCESS_DENIED");
    assert_eq!(client.refused("joinChatGroup", group("user_8")).await["code"], "ACCESS_DENIED");
    assert_eq!(admin.refused("joinChatGroup", group("!online")).await["code"], "ACCESS_DENIED");
    assert_eq!(client.refused("sendMessage", tell("user_7", "x")).await["code"], "ACCESS_DENIED");
    assert_eq!(agent.heard("userJoined").len(), 1, "the admin, who joined in earnest");
    assert_eq!(client.heard("receiveMessage").len(), 0);
}

fn listed(list: &Value) -> Vec<u64> {
    let users = list.as_array().unwrap().iter();
    let mut ids: Vec<u64> = users.filter_map(|it| it["userId"].as_u64()).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn agents_see_who_is_online_and_clients_those_with_whom_they_talk() {
    let cluster = Cluster::of_two().await;
    let mut client = connect(&cluster, 0, 7, "client").await;
    client.ok("userOnline", json!({ "userId": 7, "userType": "client" })).await;
    let status = client.expect("userStatusUpdated").await;
    assert_eq!((&status["userId"], &status["status"]), (&json!(7), &json!("online")));
    assert!(status["timestamp"].is_string());
    assert_eq!(listed(&client.expect("onlineUsersUpdate").await["onlineUsers"]), [7]);

    let mut agent = connect(&cluster, 1, 123, "agent").await;
    let mut list = Vec::new();
    crate::harness::until("both are listed", SOON, async || {
        agent.ok("getOnlineUsers", Value::Null).await;
        list = listed(&agent.expect("onlineUsersList").await);
        list == [7, 123]
    })
    .await;
    let mut admin = connect(&cluster, 0, 1, "admin").await;
    admin.ok("userOnline", json!({ "userId": 1, "userType": "admin" })).await;
    // Whoever has asked is told of changes, at most once a second.
    while listed(&agent.expect("onlineUsersUpdate").await["onlineUsers"]) != [1, 7] {}
    admin.ok("userOffline", json!({ "userId": 1 })).await;
    while listed(&agent.expect("onlineUsersUpdate").await["onlineUsers"]) != [7] {}
    assert_eq!(client.heard("onlineUsersUpdate").len(), 1, "clients are told when they ask");
    client.ok("getOnlineUsers", Value::Null).await;
    let user = client.expect("onlineUsersList").await[0].clone();
    assert_eq!((&user["userId"], &user["userType"]), (&json!(7), &json!("client")));
    assert!(user["lastSeen"].is_string());

    client.ok("userHeartbeat", json!({ "userId": 7, "timestamp": 1 })).await;
    client.ok("userOffline", json!({ "userId": 7 })).await;
    assert_eq!(client.expect("userStatusUpdated").await["status"], "offline");
    crate::harness::until("the client is gone", SOON, async || {
        agent.ok("getOnlineUsers", Value::Null).await;
        listed(&agent.expect("onlineUsersList").await) == [123]
    })
    .await;
    let forged = json!({ "userId": 8, "userType": "client" });
    assert_eq!(client.refused("userOnline", forged).await["code"], "ACCESS_DENIED");
    let forged = json!({ "userId": 7, "userType": "agent" });
    assert_eq!(client.refused("userOnline", forged).await["code"], "ACCESS_DENIED");
    // Online, heartbeat and offline count together; what was forged does not.
    for _ in 0..7 {
        client.ok("userHeartbeat", json!({ "userId": 7 })).await;
    }
    let error = client.refused("userHeartbeat", json!({ "userId": 7 })).await;
    assert_eq!(error["code"], "RATE_LIMIT_EXCEEDED");
    client.ok("joinChatGroup", chat(1, 7, "client")).await;
    for _ in 0..30 {
        client.ok("sendMessage", send(1, "x")).await;
    }
    assert_eq!(client.refused("sendMessage", send(1, "x")).await["code"], "RATE_LIMIT_EXCEEDED");
}

#[tokio::test]
async fn an_admin_puts_a_user_out_of_every_node() {
    let cluster = Cluster::of_two().await;
    let here = connect(&cluster, 0, 7, "client").await;
    let mut there = connect(&cluster, 1, 7, "client").await;
    let mut admin = connect(&cluster, 0, 1, "admin").await;
    // A status needs Redis to know the user, so the user is known from here on.
    there.ok("userOnline", json!({ "userId": 7 })).await;
    here.emit("userOnline", json!({ "userId": 7 })).await;
    let put_out = json!({ "userId": 7, "reason": "rude" });
    assert_eq!(there.refused("disconnectUser", put_out.clone()).await["code"], "ACCESS_DENIED");
    let nobody = json!({ "userId": 99 });
    assert_eq!(admin.refused("disconnectUser", nobody).await["code"], "USER_NOT_FOUND");
    admin.ok("disconnectUser", put_out).await;
    for client in [&here, &there] {
        client
            .wait("the client is put out", SOON, |it| it.standing == Standing::Disconnected)
            .await;
    }
    assert!(admin.is_open());
}
