//! The application asks on one node, and clients of the other one hear and feel it.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::SOON;
use crate::harness::client::{Client, contents};
use crate::harness::cluster::{Cluster, Plan};
use crate::harness::journal::{Journal, Standing};

/// How soon who lost a room hears nothing more of it.
const PUT_OUT_WITHIN: Duration = Duration::from_millis(1_500);

async fn started() -> Cluster {
    Plan::nodes(2).unlimited().with_api().start().await
}

async fn denied(client: &mut Client) {
    let error = client.expect_within("error", PUT_OUT_WITHIN).await;
    assert_eq!(error["code"], json!("ACCESS_DENIED"));
}

async fn dismissed(client: &Client, within: Duration) {
    let is_out = |it: &Journal| it.standing == Standing::Disconnected;
    client.wait("the client is put out", within, is_out).await;
}

#[tokio::test]
async fn members_come_in_and_who_is_taken_out_hears_nothing_more() {
    let cluster = started().await;
    let api = cluster.api(0);
    let made = json!({ "id": "r", "name": "Ours", "members": ["ann"], "department": "sales" });
    let room = api.ok("POST", "/v1/rooms", made.clone()).await;
    assert_eq!((&room["visibility"], &room["state"]), (&json!("private"), &json!("open")));
    assert_eq!(api.no("POST", "/v1/rooms", made).await, (409, "ROOM_EXISTS".to_owned()));

    let mut ann = cluster.join(0, "ann", "r").await;
    let mut bob = cluster.connect(1, "bob").await;
    assert_eq!(bob.refused("conversation:join", json!("r")).await["code"], json!("ACCESS_DENIED"));
    api.ok("PUT", "/v1/rooms/r/members/bob", json!({ "role": "agent" })).await;
    let joined = bob.ok("conversation:join", json!("r")).await;
    let members = api.ok("GET", "/v1/rooms/r/members", Value::Null).await;
    assert_eq!(members["members"].as_array().unwrap().len(), 2);

    ann.say("r", "1").await;
    assert_eq!(bob.expect("message:new").await["content"], json!("1"));
    api.ok("POST", "/v1/rooms/r/transfer", json!({ "from": "bob", "to": "eve" })).await;
    denied(&mut bob).await;
    ann.say("r", "2").await;
    let send = json!({ "conversationId": "r", "content": "x" });
    assert_eq!(bob.refused("message:send", send).await["code"], json!("NOT_A_MEMBER"));
    let since = json!({ "conversationId": "r", "since": joined["position"] });
    let refused = bob.refused("conversation:join", since).await;
    assert_eq!(refused["code"], json!("ACCESS_DENIED"));
    assert_eq!(contents(&bob.heard("message:new")), ["1"]);

    // Whoever may stay loses nothing, and is not told again who is there.
    let mut eve = cluster.join(1, "eve", "r").await;
    api.ok("PATCH", "/v1/rooms/r", json!({ "visibility": "private" })).await;
    ann.say("r", "3").await;
    assert_eq!(eve.expect("message:new").await["content"], json!("3"));
    api.ok("DELETE", "/v1/rooms/r/members/ann", Value::Null).await;
    denied(&mut ann).await;
}

#[tokio::test]
async fn a_room_is_changed_closed_opened_and_deleted_before_all_eyes() {
    let cluster = started().await;
    let api = cluster.api(0);
    api.ok("POST", "/v1/rooms", json!({ "id": "r", "visibility": "public" })).await;
    let mut ann = cluster.join(1, "ann", "r").await;
    let change = json!({ "name": "Billing", "metadata": { "plan": "gold", "id": "mine" } });
    let room = api.ok("PATCH", "/v1/rooms/r", change).await;
    assert_eq!((&room["name"], &room["metadata"]["plan"]), (&json!("Billing"), &json!("gold")));
    let updated = ann.expect("conversation:updated").await;
    assert_eq!((&updated["id"], &updated["plan"]), (&json!("r"), &json!("gold")));

    api.ok("POST", "/v1/rooms/r/close", json!({ "reason": "done" })).await;
    assert_eq!(ann.expect("conversation:updated").await["status"], json!("closed"));
    let send = json!({ "conversationId": "r", "content": "x" });
    let refused = ann.refused("message:send", send.clone()).await;
    assert_eq!(refused["code"], json!("ROOM_INACTIVE"));
    api.ok("POST", "/v1/rooms/r/close", json!({})).await;
    api.ok("POST", "/v1/rooms/r/reopen", Value::Null).await;
    assert_eq!(ann.expect("conversation:updated").await["status"], json!("open"));
    ann.ok("message:send", send).await;

    let listed = api.ok("GET", "/v1/rooms?state=open", Value::Null).await;
    assert_eq!(listed["rooms"][0]["id"], json!("r"));
    let other = api.ok("GET", "/v1/rooms?state=closed", Value::Null).await;
    assert_eq!(other["rooms"], json!([]));

    api.ok("DELETE", "/v1/rooms/r", Value::Null).await;
    assert_eq!(ann.expect("conversation:deleted").await["conversationId"], json!("r"));
    let refused = ann.refused("conversation:join", json!("r")).await;
    assert_eq!(refused["code"], json!("ROOM_NOT_FOUND"));
    let gone = api.no("GET", "/v1/rooms/r", Value::Null).await;
    assert_eq!(gone, (404, "ROOM_NOT_FOUND".to_owned()));
    assert_eq!(api.ok("GET", "/v1/rooms", Value::Null).await["rooms"], json!([]));
}

#[tokio::test]
async fn bans_and_mutes_hold_on_every_node_and_can_be_lifted() {
    let cluster = started().await;
    let api = cluster.api(0);
    for room in ["r", "s"] {
        api.ok("POST", "/v1/rooms", json!({ "id": room, "visibility": "public" })).await;
    }
    let mut ann = cluster.join(0, "ann", "r").await;
    let mut bob = cluster.join(1, "bob", "r").await;
    bob.ok("conversation:join", json!("s")).await;
    let send = |room: &str| json!({ "conversationId": room, "content": "x" });

    api.ok("PUT", "/v1/rooms/r/mutes/bob", json!({ "seconds": 600 })).await;
    assert_eq!(bob.refused("message:send", send("r")).await["code"], json!("ACCESS_DENIED"));
    bob.ok("message:send", send("s")).await;
    api.ok("DELETE", "/v1/rooms/r/mutes/bob", Value::Null).await;
    bob.ok("message:send", send("r")).await;
    api.ok("PUT", "/v1/users/bob/mute", json!({})).await;
    assert_eq!(bob.refused("message:send", send("s")).await["code"], json!("ACCESS_DENIED"));
    api.ok("DELETE", "/v1/users/bob/mute", Value::Null).await;

    api.ok("PUT", "/v1/rooms/r/bans/bob", json!({})).await;
    denied(&mut bob).await;
    ann.say("r", "unheard").await;
    let refused = bob.refused("conversation:join", json!("r")).await;
    assert_eq!(refused["code"], json!("ACCESS_DENIED"));
    bob.ok("message:send", send("s")).await;
    assert_eq!(bob.heard("message:new"), Vec::<Value>::new());
    api.ok("DELETE", "/v1/rooms/r/bans/bob", Value::Null).await;
    bob.ok("conversation:join", json!("r")).await;

    api.ok("PUT", "/v1/users/bob/ban", json!({})).await;
    dismissed(&bob, PUT_OUT_WITHIN).await;
    dismissed(&cluster.connect(0, "bob").await, SOON).await;
    api.ok("DELETE", "/v1/users/bob/ban", Value::Null).await;
    cluster.join(0, "bob", "s").await.say("s", "back").await;
}

#[tokio::test]
async fn messages_are_posted_changed_and_taken_away() {
    let cluster = started().await;
    let api = cluster.api(0);
    api.ok("POST", "/v1/rooms", json!({ "id": "r", "visibility": "public" })).await;
    let mut ann = cluster.join(1, "ann", "r").await;
    let position = ann.ok("conversation:join", json!("r")).await["position"].clone();

    let path = "/v1/rooms/r/messages";
    let by_bob = json!({ "text": "secret", "sender": { "id": "bob", "name": "Bob" } });
    let posted = api.ok("POST", path, by_bob).await;
    api.ok("POST", path, json!({ "text": "welcome", "kind": "system" })).await;
    let heard = ann.expect_many("message:new", 2, SOON).await;
    assert_eq!(contents(&heard), ["secret", "welcome"]);
    assert_eq!((&heard[0]["senderId"], &heard[1]["type"]), (&json!("bob"), &json!("system")));
    assert_eq!(heard[0]["id"], posted["id"]);

    let first = format!("{path}/{}", posted["id"].as_str().unwrap());
    let marks = "/v1/rooms/r/marks/ann";
    let unread = json!({ "unread": 2, "messageId": null });
    assert_eq!(api.ok("GET", marks, Value::Null).await, unread);
    api.ok("PUT", marks, json!({ "messageId": posted["id"] })).await;
    let read = json!({ "unread": 1, "messageId": posted["id"] });
    assert_eq!(api.ok("GET", marks, Value::Null).await, read);

    api.ok("PATCH", &first, json!({ "text": "public" })).await;
    let updated = ann.expect("message:updated").await;
    assert_eq!((&updated["id"], &updated["content"]), (&posted["id"], &json!("public")));
    assert_eq!(api.ok("GET", &first, Value::Null).await["text"], json!("public"));
    // Whoever was away since before it reads only the new text.
    let since = json!({ "conversationId": "r", "since": position });
    let mut late = cluster.connect(0, "late").await;
    late.ok("conversation:join", since.clone()).await;
    let missed = late.expect_many("message:new", 2, SOON).await;
    assert_eq!(contents(&missed), ["public", "welcome"]);

    api.ok("DELETE", &first, Value::Null).await;
    assert_eq!(ann.expect("message:deleted").await["id"], posted["id"]);
    let missing = (404, "MESSAGE_NOT_FOUND".to_owned());
    assert_eq!(api.no("GET", &first, Value::Null).await, missing);
    assert_eq!(api.no("DELETE", &first, Value::Null).await, missing);
    let mut later = cluster.connect(1, "later").await;
    later.ok("conversation:join", since).await;
    later.expect("message:deleted").await;
    assert_eq!(contents(&later.heard("message:new")), ["welcome"]);
    let page = api.ok("GET", &format!("{path}?limit=10"), Value::Null).await;
    let texts: Vec<&Value> =
        page["messages"].as_array().unwrap().iter().map(|it| &it["text"]).collect();
    assert_eq!(texts, [&json!("welcome")]);
}

#[tokio::test]
async fn pages_lead_back_to_the_first_message() {
    let cluster = started().await;
    let api = cluster.api(0);
    api.ok("POST", "/v1/rooms", json!({ "id": "r" })).await;
    for n in 1..=25 {
        api.ok("POST", "/v1/rooms/r/messages", json!({ "text": n.to_string() })).await;
    }
    let (mut path, mut texts) = ("/v1/rooms/r/messages?limit=10".to_owned(), Vec::new());
    loop {
        let page = api.ok("GET", &path, Value::Null).await;
        let found = page["messages"].as_array().unwrap().clone();
        texts.splice(0..0, found.iter().map(|it| it["text"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        path = format!("/v1/rooms/r/messages?limit=10&cursor={cursor}");
        // What comes meanwhile moves no page.
        api.ok("POST", "/v1/rooms/r/messages", json!({ "text": "new" })).await;
    }
    let expected: Vec<String> = (1..=25).map(|n: u32| n.to_string()).collect();
    assert_eq!(texts, expected);
}

#[tokio::test]
async fn users_are_told_things_on_all_their_devices_and_seen() {
    let cluster = started().await;
    let api = cluster.api(1);
    let mut devices = [cluster.connect(0, "ann").await, cluster.connect(1, "ann").await];
    crate::harness::until("both are known", SOON, async || {
        let seen = api.ok("GET", "/v1/users/ann", Value::Null).await;
        seen["online"] == json!(true) && seen["nodes"] == json!(2)
    })
    .await;
    let emitted = json!({ "event": "order:shipped", "data": { "items": [1, null] } });
    api.ok("POST", "/v1/users/ann/emit", emitted).await;
    api.ok("POST", "/v1/users/ann/notify", json!({ "id": "n-1" })).await;
    for device in &mut devices {
        assert_eq!(device.expect("order:shipped").await, json!({ "items": [1, null] }));
        assert_eq!(device.expect("notification:new").await, json!({ "id": "n-1" }));
    }
    let online = api.ok("GET", "/v1/users", Value::Null).await;
    assert_eq!(online["users"][0]["userId"], json!("ann"));
    // A node learns of the others by its beats.
    crate::harness::until("both nodes are counted", SOON, async || {
        api.ok("GET", "/v1/stats", Value::Null).await["nodes"] == json!(2)
    })
    .await;
    let never = api.ok("GET", "/v1/users/nobody", Value::Null).await;
    assert_eq!((&never["online"], &never["status"]), (&json!(false), &json!("offline")));
    api.ok("POST", "/v1/users/ann/disconnect", Value::Null).await;
    for device in &devices {
        dismissed(device, SOON).await;
    }
}

#[tokio::test]
async fn a_repeated_request_is_carried_out_once() {
    let cluster = started().await;
    let (one, two) = (cluster.api(0), cluster.api(1));
    one.ok("POST", "/v1/rooms", json!({ "id": "r" })).await;
    let post = ("POST", "/v1/rooms/r/messages");
    let (body, key) = (json!({ "text": "hi" }).to_string(), [("idempotency-key", "k-1")]);
    let first = one.send(post, &key, body.clone()).await;
    assert_eq!(first.0, 201);
    assert_eq!(two.send(post, &key, body.clone()).await, first);
    let other = two.send(post, &key, json!({ "text": "ho" }).to_string()).await;
    assert_eq!((other.0, &other.1["error"]["code"]), (409, &json!("IDEMPOTENCY_CONFLICT")));
    // A refusal is an answer too.
    let close = ("POST", "/v1/rooms/nowhere/close");
    let key = [("idempotency-key", "k-2")];
    let missing = one.send(close, &key, "{}".to_owned()).await;
    assert_eq!((missing.0, two.send(close, &key, "{}".to_owned()).await), (404, missing));
    let page = one.ok("GET", "/v1/rooms/r/messages", Value::Null).await;
    assert_eq!(page["messages"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_feed_tells_everything_once_through_a_nodes_death() {
    let mut cluster = started().await;
    let api = cluster.api(1);
    for room in ["r", "s"] {
        api.ok("POST", "/v1/rooms", json!({ "id": room, "visibility": "public" })).await;
    }
    let (mut cursor, mut told) = (None::<String>, Vec::new());
    for round in 0..3 {
        let node = if round == 1 { 0 } else { 1 };
        let mut ann = cluster.join(node, "ann", "r").await;
        ann.ok("conversation:join", json!("s")).await;
        for n in 0..20 {
            ann.say(["r", "s"][n % 2], &format!("{round}.{n}")).await;
        }
        if round == 1 {
            cluster.signal(0, Signal::KILL);
            cluster.exited(0, SOON).await;
        }
        loop {
            let at = cursor.as_ref().map_or_else(String::new, |it| format!("?cursor={it}"));
            let page = api.ok("GET", &format!("/v1/feed{at}"), Value::Null).await;
            cursor = page["cursor"].as_str().map(str::to_owned);
            let entries = page["entries"].as_array().unwrap().clone();
            if entries.is_empty() {
                break;
            }
            let texts = entries.iter().filter_map(|it| it["message"]["text"].as_str());
            told.extend(texts.map(str::to_owned));
        }
    }
    let expected: Vec<String> =
        (0..3).flat_map(|round| (0..20).map(move |n| format!("{round}.{n}"))).collect();
    assert_eq!(told, expected);
}
