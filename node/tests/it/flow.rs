//! Rooms over envelopes: what every message is answered, on which node whoever may be.

use serde_json::{Value, json};

use crate::harness::cluster::{Cluster, Plan};
use crate::harness::envelope::{EnvelopeClient, texts};
use crate::harness::token::{in_seconds, sign, token};
use crate::harness::{SOON, until};

fn send(text: &str) -> Value {
    json!({ "roomId": "r", "content": text })
}

fn whom(user: &str) -> Value {
    json!({ "roomId": "r", "userId": user, "username": user })
}

async fn enter(cluster: &Cluster, node: usize, user: &str) -> EnvelopeClient {
    EnvelopeClient::enter(cluster.address(node), user).await
}

async fn join(cluster: &Cluster, node: usize, user: &str) -> EnvelopeClient {
    let mut client = enter(cluster, node, user).await;
    client.join("r").await;
    client
}

#[tokio::test]
async fn two_people_on_two_nodes_talk_in_a_room() {
    let cluster = Cluster::of_two().await;
    let mut ann = enter(&cluster, 0, "ann").await;
    let mut joined = ann.join("r").await;
    let created = joined["room"]["createdAt"].take();
    assert!(created.as_str().is_some_and(|it| it.ends_with('Z')), "{created}");
    assert!(joined["position"]["epoch"].take().is_u64());
    let room = json!({
        "id": "r", "name": "r", "description": "", "type": "public",
        "memberCount": 1, "createdAt": null,
    });
    let users = json!([{ "userId": "ann", "username": "ann", "status": "online" }]);
    assert_eq!(
        joined,
        json!({
            "room": room, "messages": [], "users": users,
            "position": { "epoch": null, "seq": 0 }, "resumed": false, "missed": 0,
        })
    );

    // Redis learns a little later that ann is there.
    let mut zed = cluster.connect(1, "zed").await;
    until("ann is seen", SOON, async || {
        zed.ok("get_online_users", json!({ "ticketId": "r" })).await;
        zed.expect("online_users").await["users"].as_array().unwrap().len() == 2
    })
    .await;

    // The upgrade of `/` leads to the same.
    let mut bob = EnvelopeClient::open(cluster.address(1), "/").await;
    bob.get("AUTHENTICATE", json!({ "token": token("bob") }), "AUTH_SUCCESS").await;
    let joined = bob.join("r").await;
    assert_eq!(joined["room"]["createdAt"], created, "the same on every node");
    let users: Vec<&Value> =
        joined["users"].as_array().unwrap().iter().map(|it| &it["userId"]).collect();
    assert_eq!(users, ["ann", "bob"]);
    assert_eq!(ann.hear("USER_JOINED").await, whom("bob"));

    ann.say("SEND_MESSAGE", send("hello <b>")).await;
    let own = ann.expect("NEW_MESSAGE").await;
    assert_eq!(bob.expect("NEW_MESSAGE").await, own, "everyone hears the same");
    let message = &own["payload"];
    let expected = json!({
        "id": message["id"], "roomId": "r", "userId": "ann", "username": "ann",
        "content": "hello <b>", "type": "text", "timestamp": message["timestamp"],
    });
    assert_eq!(own, json!({ "type": "NEW_MESSAGE", "payload": expected }));

    ann.say("TYPING_STATUS", json!({ "roomId": "r", "isTyping": true })).await;
    let mut typing = whom("ann");
    typing["isTyping"] = json!(true);
    assert_eq!(bob.hear("TYPING_UPDATE").await, typing);
    ann.say("TYPING_STATUS", json!({ "roomId": "r", "isTyping": false })).await;
    typing["isTyping"] = json!(false);
    assert_eq!(bob.hear("TYPING_UPDATE").await, typing);

    let left = ann.get("LEAVE_ROOM", json!({ "roomId": "r" }), "ROOM_LEFT").await;
    assert_eq!(left, json!({ "roomId": "r" }));
    assert_eq!(bob.hear("USER_LEFT").await, whom("ann"));
    ann.refused("LEAVE_ROOM", json!({ "roomId": "r" }), "NOT_A_MEMBER").await;
    ann.join("r").await;
    assert_eq!(bob.hear("USER_JOINED").await, whom("ann"));
    drop(bob);
    assert_eq!(ann.hear("USER_LEFT").await, whom("bob"), "who goes without a word leaves too");
    assert_eq!(ann.unheard("TYPING_UPDATE").len(), 0, "nobody hears of themselves");
}

#[tokio::test]
async fn the_senders_own_copy_names_the_request_only_if_a_retry_would_be_known() {
    let cluster = Cluster::of_two().await;
    let (mut ann, mut bob) = (join(&cluster, 0, "ann").await, join(&cluster, 1, "bob").await);
    let request = |id: Value, key: Option<&str>| {
        let mut payload = send("hi");
        if let Some(key) = key {
            payload["clientMessageId"] = json!(key);
        }
        json!({ "type": "SEND_MESSAGE", "payload": payload, "requestId": id }).to_string()
    };
    ann.send(request(json!("a"), None)).await;
    assert_eq!(ann.expect("NEW_MESSAGE").await.get("requestId"), None);
    ann.send(request(json!(7), Some("k"))).await;
    let first = ann.expect("NEW_MESSAGE").await;
    assert_eq!(first["requestId"], 7, "as it came");
    // A repeat is stored once and answered again, to who repeats it alone.
    ann.send(request(json!("again"), Some("k"))).await;
    let again = ann.expect("NEW_MESSAGE").await;
    assert_eq!((&again["requestId"], &again["payload"]), (&json!("again"), &first["payload"]));
    bob.say("SEND_MESSAGE", send("end")).await;
    for _heard in 0..2 {
        assert_eq!(bob.expect("NEW_MESSAGE").await.get("requestId"), None);
    }
    assert_eq!(bob.hear("NEW_MESSAGE").await["content"], "end", "heard once by others");
}

#[tokio::test]
async fn a_joiner_is_shown_the_newest_messages_and_older_ones_come_in_pages() {
    let cluster = Plan::nodes(2).unlimited().start().await;
    let mut ann = join(&cluster, 0, "ann").await;
    for number in 1..=130 {
        ann.say("SEND_MESSAGE", send(&number.to_string())).await;
    }
    let mut ids = Vec::new();
    for number in 1..=130 {
        let message = ann.hear("NEW_MESSAGE").await;
        assert_eq!(message["content"], number.to_string());
        ids.push(message["id"].clone());
    }
    let expected = |numbers: std::ops::RangeInclusive<u32>| -> Vec<String> {
        numbers.map(|it| it.to_string()).collect()
    };
    let mut bob = enter(&cluster, 1, "bob").await;
    let joined = bob.join("r").await;
    assert_eq!(texts(&joined["messages"]), expected(31..=130), "the last hundred, oldest first");
    assert_eq!(joined["messages"][0]["id"], ids[30]);
    assert_eq!(joined["position"]["seq"], 130);
    ann.say("SEND_MESSAGE", send("131")).await;
    assert_eq!(bob.hear("NEW_MESSAGE").await["content"], "131", "and then live ones");

    for (before, limit, page) in [
        (30, None, expected(1..=30)),
        (30, Some(10), expected(21..=30)),
        (100, None, expected(51..=100)),
    ] {
        let mut asked = json!({ "roomId": "r", "before": ids[before], "limit": limit });
        if limit.is_none() {
            asked.as_object_mut().unwrap().remove("limit");
        }
        let history = bob.get("GET_HISTORY", asked, "HISTORY").await;
        assert_eq!(history["roomId"], "r");
        assert_eq!(texts(&history["messages"]), page);
    }
    let newest = bob.get("GET_HISTORY", json!({ "roomId": "r", "limit": 2 }), "HISTORY").await;
    assert_eq!(texts(&newest["messages"]), ["130", "131"]);
    let oldest = json!({ "roomId": "r", "before": ids[0] });
    assert_eq!(bob.get("GET_HISTORY", oldest, "HISTORY").await["messages"], json!([]));

    // Who comes back is sent what it missed as messages, and nothing twice.
    let mut carol = enter(&cluster, 1, "carol").await;
    let since = json!({ "roomId": "r", "since": ids[127] });
    let joined = carol.get("JOIN_ROOM", since, "ROOM_JOINED").await;
    assert_eq!(
        (&joined["resumed"], &joined["missed"], &joined["messages"]),
        (&json!(true), &json!(3), &json!([]))
    );
    for number in ["129", "130", "131"] {
        assert_eq!(carol.hear("NEW_MESSAGE").await["content"], number);
    }
}

#[tokio::test]
async fn rooms_are_made_by_clients_and_say_what_they_are() {
    let cluster = Plan::nodes(2).with("PARLANCE_ROOMS__POLICY", "members").start().await;
    let (mut ann, mut bob) = (enter(&cluster, 0, "ann").await, enter(&cluster, 1, "bob").await);
    bob.refused("JOIN_ROOM", json!({ "roomId": "nowhere" }), "ROOM_NOT_FOUND").await;
    let make = |name: &str, kind: &str| json!({ "name": name, "description": "d", "type": kind });
    let made = ann.get("CREATE_ROOM", make("General", "public"), "ROOM_CREATED").await;
    let room = &made["room"];
    let told = json!([room["name"], room["description"], room["type"], room["memberCount"]]);
    assert_eq!(told, json!(["General", "d", "public", 1]));
    ann.refused("SEND_MESSAGE", json!({ "roomId": room["id"], "content": "x" }), "NOT_A_MEMBER")
        .await;
    for client in [&mut ann, &mut bob] {
        let joined = client.join(room["id"].as_str().unwrap()).await;
        for member in ["id", "name", "description", "type", "createdAt"] {
            assert_eq!(joined["room"][member], room[member], "{member}");
        }
    }
    let made = ann.get("CREATE_ROOM", make("Den", "private"), "ROOM_CREATED").await;
    let den = json!({ "roomId": made["room"]["id"] });
    bob.refused("JOIN_ROOM", den.clone(), "ACCESS_DENIED").await;
    assert_eq!(ann.get("JOIN_ROOM", den, "ROOM_JOINED").await["room"]["type"], "private");
    for bad in [json!({}), json!({ "name": "" }), json!({ "name": "n", "type": "secret" })] {
        ann.refused("CREATE_ROOM", bad, "INVALID_MESSAGE").await;
    }
}

#[tokio::test]
async fn every_mistake_is_an_error_with_the_requests_id() {
    let cluster = Cluster::of_two().await;
    let mut ann = EnvelopeClient::open(cluster.address(0), "/ws").await;
    for kind in ["JOIN_ROOM", "SEND_MESSAGE", "NONSENSE"] {
        ann.refused(kind, json!({ "roomId": "r" }), "UNAUTHORIZED").await;
    }
    ann.refused("AUTHENTICATE", json!({ "token": "no.token" }), "UNAUTHORIZED").await;
    ann.refused("AUTHENTICATE", json!({}), "INVALID_MESSAGE").await;
    // The token's name wins over the one beside it.
    let named = sign(&json!({ "sub": "ann", "name": "Ann", "exp": in_seconds(3_600) }));
    let shown = json!({ "token": named, "username": "somebody" });
    let known = ann.get("AUTHENTICATE", shown, "AUTH_SUCCESS").await;
    assert_eq!(known["username"], "Ann");
    ann.refused("AUTHENTICATE", json!({ "token": token("bob") }), "ACCESS_DENIED").await;

    ann.refused("SEND_MESSAGE", send("x"), "NOT_A_MEMBER").await;
    ann.refused("GET_HISTORY", json!({ "roomId": "r" }), "NOT_A_MEMBER").await;
    ann.refused("TYPING_STATUS", json!({ "roomId": "r", "isTyping": true }), "NOT_A_MEMBER").await;
    ann.refused("JOIN_ROOM", json!({ "roomId": "user_bob" }), "ACCESS_DENIED").await;
    ann.refused("NONSENSE", json!({}), "INVALID_MESSAGE").await;
    ann.refused("JOIN_ROOM", json!({}), "INVALID_MESSAGE").await;
    ann.join("r").await;
    ann.refused("SEND_MESSAGE", send(""), "INVALID_MESSAGE").await;
    ann.refused("SEND_MESSAGE", send(&"x".repeat(10_001)), "INVALID_MESSAGE").await;
    let system = json!({ "roomId": "r", "content": "x", "type": "system" });
    ann.refused("SEND_MESSAGE", system, "INVALID_MESSAGE").await;
    for text in ["", "hello", "[]", "{}", r#"{"type":7}"#, r#"["JOIN_ROOM",{"roomId":"r"}]"#] {
        ann.send(text).await;
        let error = ann.expect("ERROR").await;
        assert_eq!(
            (error.get("requestId"), &error["payload"]["code"]),
            (None, &json!("INVALID_MESSAGE"))
        );
    }

    // A client that sends too much hears for each message that it was too much.
    for number in 0..200 {
        let message = json!({ "type": "SEND_MESSAGE", "payload": {}, "requestId": number });
        ann.send(message.to_string()).await;
    }
    let mut limited = 0;
    for number in 0..200 {
        let error = ann.expect("ERROR").await;
        assert_eq!(error["requestId"], number);
        if error["payload"]["code"] == "RATE_LIMIT_EXCEEDED" {
            assert!(error["payload"]["retryAfterMs"].is_u64(), "{error}");
            limited += 1;
        }
    }
    assert!((1..200).contains(&limited), "{limited} of 200 were too many");
}

#[tokio::test]
async fn who_shows_no_good_token_is_put_out_with_its_code() {
    let cluster = Cluster::of_two().await;
    let address = cluster.address(0);
    let mut nobody = EnvelopeClient::open(address, "/ws").await;
    let bearer = format!("Bearer {}", token("ann"));
    let mut ann =
        EnvelopeClient::open_with(address, "/ws", Some(("authorization", bearer.as_str()))).await;
    ann.join("r").await;
    let cookie = format!("access_token={}", token("bob"));
    let mut bob = EnvelopeClient::open_with(address, "/", Some(("cookie", cookie.as_str()))).await;
    bob.join("r").await;
    let bad = Some(("authorization", "Bearer no.good.token"));
    assert_eq!(EnvelopeClient::open_with(address, "/ws", bad).await.closed().await, Some(4401));

    // A token that ends is told of, and may be followed by another.
    let short = |user: &str| sign(&json!({ "sub": user, "exp": in_seconds(8) }));
    let mut eve = EnvelopeClient::open(address, "/ws").await;
    eve.get("AUTHENTICATE", json!({ "token": short("eve") }), "AUTH_SUCCESS").await;
    assert!(eve.hear("TOKEN_EXPIRING").await["expiresAt"].is_string());
    let mut dan = EnvelopeClient::open(address, "/ws").await;
    dan.get("AUTHENTICATE", json!({ "token": short("dan") }), "AUTH_SUCCESS").await;
    dan.hear("TOKEN_EXPIRING").await;
    dan.get("AUTHENTICATE", json!({ "token": token("dan") }), "AUTH_SUCCESS").await;
    assert_eq!(eve.closed().await, Some(4401));
    dan.join("r").await;

    assert_eq!(nobody.closed().await, Some(4401));
    let errors = nobody.unheard("ERROR");
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0]["payload"]["code"], "UNAUTHORIZED");

    let admin = sign(&json!({ "sub": "eva", "role": "admin", "exp": in_seconds(60) }));
    let auth = json!({ "token": admin });
    let mut eva = cluster.dial(1).namespace("/desk").auth(auth).connect().await;
    eva.ok("disconnectUser", json!({ "userId": "ann" })).await;
    assert_eq!(ann.closed().await, Some(4403));
}

#[tokio::test]
async fn a_conversation_and_a_case_are_met_each_in_its_words() {
    let cluster = Cluster::of_two().await;
    let mut ann = join(&cluster, 0, "ann").await;
    let mut bob = cluster.join(1, "bob", "r").await;
    assert_eq!(ann.hear("USER_JOINED").await, whom("bob"));
    ann.say("SEND_MESSAGE", send("from an envelope")).await;
    let heard = bob.expect("message:new").await;
    assert_eq!(json!([heard["senderId"], heard["content"]]), json!(["ann", "from an envelope"]));
    ann.hear("NEW_MESSAGE").await;
    bob.say("r", "from a packet").await;
    let heard = ann.hear("NEW_MESSAGE").await;
    assert_eq!(json!([heard["userId"], heard["content"]]), json!(["bob", "from a packet"]));
    bob.emit("typing:start", json!({ "conversationId": "r" })).await;
    assert_eq!(ann.hear("TYPING_UPDATE").await["isTyping"], true);
    ann.say("TYPING_STATUS", json!({ "roomId": "r", "isTyping": true })).await;
    assert_eq!(bob.expect("typing:start").await["userId"], "ann");

    let greeting = json!({
        "userId": "vic", "caseId": "r", "role": "user", "userName": "vic", "token": token("vic"),
    });
    let mut vic = cluster.dial(1).namespace("/chat").auth(greeting).connect().await;
    vic.expect("auth:authenticated").await;
    vic.ok("session:closed", json!({ "caseId": "r", "reason": "solved" })).await;
    let closed = json!({ "roomId": "r", "reason": "solved" });
    assert_eq!(ann.hear("ROOM_CLOSED").await, closed);
    ann.refused("SEND_MESSAGE", send("late"), "ROOM_INACTIVE").await;
    let history = ann.get("GET_HISTORY", json!({ "roomId": "r" }), "HISTORY").await;
    assert_eq!(texts(&history["messages"]), ["from an envelope", "from a packet"]);

    // A namespace knows nothing of envelopes, and they nothing of its events.
    let error = bob.refused("JOIN_ROOM", json!({ "roomId": "r" })).await;
    assert_eq!(error["code"], "UNKNOWN_EVENT");
    ann.refused("conversation:join", json!({ "conversationId": "r" }), "INVALID_MESSAGE").await;
}
