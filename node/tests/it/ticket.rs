//! Tickets: a token in band, pages of history, lists of who is online, no tags in texts.

use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::cluster::{Cluster, Plan};
use crate::harness::token::{in_seconds, sign, token};
use crate::harness::{SOON, until};

/// A connection to `/` that shows its token and joins in one burst, as clients do.
async fn enter(cluster: &Cluster, node: usize, user: &str) -> Client {
    let mut client = cluster.dial(node).connect().await;
    client.emit("authenticate", json!({ "token": token(user) })).await;
    client.emit("join_ticket", json!({ "ticketId": "1" })).await;
    let known = json!({ "user": { "id": user, "name": user, "role": "user" } });
    assert_eq!(client.expect("authenticated").await, known);
    assert_eq!(client.expect("joined_ticket").await, json!({ "ticketId": "1" }));
    client
}

fn send(text: &str) -> Value {
    json!({ "ticketId": "1", "message": text })
}

fn whom(user: &str) -> Value {
    json!({ "ticketId": "1", "userId": user, "userName": user })
}

#[tokio::test]
async fn a_ticket_and_a_conversation_are_one_room_in_two_languages() {
    let cluster = Cluster::of_two().await;
    let mut ann = enter(&cluster, 0, "ann").await;
    let mut vic = enter(&cluster, 1, "vic").await;
    assert_eq!(ann.expect("user_joined_ticket").await, whom("vic"));
    let mut bob = cluster.join(1, "bob", "1").await;
    assert_eq!(ann.expect("user_joined_ticket").await, whom("bob"));

    let ack = ann.ok("send_message", send("1 < 2 & \"so\"")).await;
    let data = json!({
        "id": ack["id"],
        "ticketId": "1",
        "userId": "ann",
        "userName": "ann",
        "role": "user",
        "message": "1 &lt; 2 & \"so\"",
        "attachments": [],
        "createdAt": ack["createdAt"],
    });
    let message = json!({ "ticketId": "1", "data": data });
    assert_eq!(ann.expect("new_message").await, message, "the sender hears it too");
    assert_eq!(vic.expect("new_message").await, message);
    assert_eq!(bob.expect("message:new").await["content"], "1 < 2 & \"so\"");
    bob.say("1", "hello").await;
    for client in [&mut ann, &mut vic] {
        assert_eq!(client.expect("new_message").await["data"]["message"], "hello");
    }

    vic.emit("typing_start", json!({ "ticketId": "1" })).await;
    assert_eq!(ann.expect("user_typing").await, whom("vic"));
    assert_eq!(bob.expect("typing:start").await["userId"], "vic");
    vic.emit("typing_stop", json!({ "ticketId": "1" })).await;
    assert_eq!(ann.expect("user_stopped_typing").await, whom("vic"));
    vic.ok("leave_ticket", json!({ "ticketId": "1" })).await;
    assert_eq!(ann.expect("user_left_ticket").await, whom("vic"));
    assert_eq!(vic.heard("user_typing").len(), 0, "nobody hears of themselves");

    let greeting = json!({
        "userId": "carol", "caseId": "1", "role": "user", "userName": "carol",
        "token": token("carol"),
    });
    let mut carol = cluster.dial(0).namespace("/chat").auth(greeting).connect().await;
    carol.expect("auth:authenticated").await;
    carol.ok("session:closed", json!({ "caseId": "1" })).await;
    assert_eq!(ann.expect("ticket_closed").await, json!({ "ticketId": "1" }));
    assert_eq!(ann.refused("send_message", send("late")).await["code"], "ROOM_INACTIVE");
}

#[tokio::test]
async fn history_comes_in_pages_from_the_newest_and_each_is_oldest_first() {
    let cluster = Plan::nodes(2).unlimited().start().await;
    let mut ann = enter(&cluster, 0, "ann").await;
    for number in 1..=120 {
        ann.ok("send_message", send(&number.to_string())).await;
    }
    // Whoever may join need not have joined.
    let mut vic = cluster.connect(1, "vic").await;
    for (asked, limit, offset, page) in [
        (json!({ "ticketId": "1" }), 50, 0, 71..=120),
        (json!({ "ticketId": "1", "limit": 30, "offset": 50 }), 30, 50, 41..=70),
        (json!({ "ticketId": "1", "limit": 1000, "offset": 80 }), 100, 80, 1..=40),
    ] {
        vic.ok("get_messages", asked).await;
        let answer = vic.expect("messages").await;
        let expected = json!([limit, offset, 120]);
        assert_eq!(json!([answer["limit"], answer["offset"], answer["total"]]), expected);
        let messages = answer["messages"].as_array().unwrap();
        let texts: Vec<&str> = messages.iter().filter_map(|it| it["message"].as_str()).collect();
        let numbers: Vec<String> = page.map(|it: u32| it.to_string()).collect();
        assert_eq!(texts, numbers);
        assert!(messages.iter().all(|it| it["ticketId"] == "1" && it["userName"] == "ann"));
    }
    vic.ok("get_messages", json!({ "ticketId": "1", "offset": 120 })).await;
    assert_eq!(vic.expect("messages").await["messages"], json!([]));
    vic.ok("send_message", send("from outside")).await;
    let heard = ann.expect_many("new_message", 121, SOON).await;
    assert_eq!(heard[120]["data"]["message"], "from outside");
    assert_eq!(vic.heard("new_message").len(), 0);
}

#[tokio::test]
async fn who_is_online_is_listed_with_the_asker() {
    let cluster = Cluster::of_two().await;
    let mut ann = enter(&cluster, 0, "ann").await;
    let mut vic = enter(&cluster, 1, "vic").await;
    assert_eq!(ann.expect("user_joined_ticket").await, whom("vic"));
    let user =
        |id: &str| json!({ "userId": id, "userName": id, "role": "user", "status": "online" });
    for client in [&mut ann, &mut vic] {
        // Each node tells Redis of its own users, a moment after they have come.
        until("both are listed", SOON, async || {
            client.emit("get_online_users", json!({ "ticketId": "1" })).await;
            let mut list = client.expect("online_users").await;
            assert_eq!(list["ticketId"], "1");
            let users = list["users"].as_array_mut().unwrap();
            users.sort_by_key(|it| it["userId"].to_string());
            *users == [user("ann"), user("vic")]
        })
        .await;
    }
}

#[tokio::test]
async fn whoever_may_not_join_may_do_nothing() {
    let cluster = Plan::nodes(2).with("PARLANCE_ROOMS__POLICY", "members").start().await;
    let mut eve = cluster.dial(0).connect().await;
    eve.emit("join_ticket", json!({ "ticketId": "1" })).await;
    let unknown = json!({ "message": "User not authenticated", "code": "AUTH_REQUIRED" });
    assert_eq!(eve.expect("error").await, unknown);
    eve.emit("authenticate", json!({ "token": "forged" })).await;
    assert!(eve.expect("authentication_error").await["message"].is_string());
    eve.ok("authenticate", json!({ "token": token("eve") })).await;
    let denied = json!({ "message": "Access denied to this ticket", "code": "ACCESS_DENIED" });
    for (event, argument) in [
        ("join_ticket", json!({ "ticketId": "1" })),
        ("send_message", send("x")),
        ("get_messages", json!({ "ticketId": "1" })),
        ("get_online_users", json!({ "ticketId": "1" })),
    ] {
        eve.emit(event, argument).await;
        assert_eq!(eve.expect("error").await, denied, "{event}");
    }
    let claims = json!({ "sub": "ann", "rooms": ["1"], "exp": in_seconds(3_600) });
    let mut ann = cluster.dial(1).auth(json!({ "token": sign(&claims) })).connect().await;
    ann.ok("join_ticket", json!({ "ticketId": "1" })).await;
    let file = json!({ "ticketId": "1", "message": "x", "attachments": [{ "name": "a.txt" }] });
    assert_eq!(ann.refused("send_message", file).await["code"], "INVALID_DATA");
    eve.emit("join_ticket", json!({ "ticketId": "1" })).await;
    assert_eq!(eve.expect("error").await, denied);
}
