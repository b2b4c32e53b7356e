//! Authors are told once that a message was handed over, and once that it was read.

use serde_json::{Value, json};

use crate::harness::client::{Client, numbered};
use crate::harness::cluster::{Cluster, Plan};
use crate::harness::{SOON, journal::Journal};

fn ids(events: &[Value], key: &str) -> Vec<String> {
    events.iter().filter_map(|it| it[key].as_str()).map(str::to_owned).collect()
}

#[tokio::test]
async fn each_message_is_delivered_once_for_all_the_authors_devices() {
    const MESSAGES: usize = 10;
    let cluster = Plan::nodes(2).unlimited().start().await;
    let mut phone = cluster.join(0, "alice", "room").await;
    let mut desk = cluster.join(1, "alice", "room").await;
    let _readers = [
        cluster.join(0, "bob", "room").await,
        cluster.join(1, "bob", "room").await,
        cluster.join(1, "carol", "room").await,
    ];
    let acks = phone.say_all("room", &numbered(1..=MESSAGES)).await;
    for client in [&mut phone, &mut desk] {
        let delivered = client.expect_many("message:delivered", MESSAGES, SOON).await;
        assert_eq!(ids(&delivered, "messageId"), ids(&acks, "id"));
    }
    // The next one's receipt is the next receipt.
    let next = phone.say("room", "next").await;
    for client in [&mut phone, &mut desk] {
        assert_eq!(client.expect("message:delivered").await, json!({ "messageId": next["id"] }));
        assert_eq!(client.heard("message:delivered").len(), MESSAGES + 1);
    }
}

#[tokio::test]
async fn a_message_that_nobody_else_hears_is_not_delivered() {
    let cluster = Cluster::of_two().await;
    let mut phone = cluster.join(0, "alice", "room").await;
    let _desk = cluster.join(1, "alice", "room").await;
    phone.say("room", "to nobody").await;
    let mut elsewhere = cluster.join(1, "bob", "elsewhere").await;
    phone.ok("conversation:join", json!("elsewhere")).await;
    let heard = phone.say("elsewhere", "to bob").await;
    elsewhere.expect("message:new").await;
    assert_eq!(phone.expect("message:delivered").await["messageId"], heard["id"]);
}

#[tokio::test]
async fn a_receipt_never_overtakes_the_ack_of_its_message() {
    let cluster = Plan::nodes(2).unlimited().start().await;
    let mut alice = cluster.join(0, "alice", "room").await;
    let _bob = cluster.join(0, "bob", "room").await;
    for text in numbered(1..=50) {
        let send = json!({ "conversationId": "room", "content": text });
        let asked = alice.ask("message:send", send).await;
        alice.answer(asked).await;
        alice.expect("message:delivered").await;
        assert!(alice.look(|it| follows(it, asked)), "message {text}");
    }
}

/// Whether the newest receipt came after the ack.
fn follows(journal: &Journal, asked: u64) -> bool {
    let receipt = journal.events.iter().rfind(|it| it.name == "message:delivered");
    let ack = journal.ack(asked).expect("it was awaited");
    receipt.is_some_and(|it| ack.0 < it.at)
}

#[tokio::test]
async fn an_author_hears_of_each_own_message_that_a_reader_has_passed() {
    let cluster = Plan::nodes(2).unlimited().start().await;
    let mut alice = cluster.join(0, "alice", "room").await;
    let mut desk = cluster.join(1, "alice", "room").await;
    let mut carol = cluster.join(0, "carol", "room").await;
    let mut bob = cluster.join(1, "bob", "room").await;
    let acks = alice.say_all("room", &numbered(1..=3)).await;
    let by_carol = carol.say("room", "from carol").await;
    let later = alice.say_all("room", &numbered(4..=5)).await;
    bob.expect_many("message:new", 6, SOON).await;

    read(&mut bob, &later[0]).await;
    let mut expected = ids(&acks, "id");
    expected.push(later[0]["id"].as_str().unwrap().to_owned());
    for client in [&mut alice, &mut desk] {
        let read = client.expect_many("message:read", 4, SOON).await;
        assert_eq!(ids(&read, "messageId"), expected);
        assert!(read.iter().all(|it| it["userId"] == "bob"));
    }
    let read_by_bob = carol.expect("message:read").await;
    assert_eq!(read_by_bob, json!({ "messageId": by_carol["id"], "userId": "bob" }));

    // Reading again, or something older, moves nothing; the next mark moves by what is left.
    read(&mut bob, &later[0]).await;
    read(&mut bob, &acks[0]).await;
    read(&mut bob, &later[1]).await;
    let told = alice.expect("message:read").await;
    assert_eq!(told, json!({ "messageId": later[1]["id"], "userId": "bob" }));
    // Another reader has a mark of their own.
    read(&mut carol, &acks[0]).await;
    let told = alice.expect("message:read").await;
    assert_eq!(told, json!({ "messageId": acks[0]["id"], "userId": "carol" }));
    assert_eq!(bob.heard("message:read").len(), 0, "bob has written nothing");
}

async fn read(client: &mut Client, message: &Value) {
    client.ok("message:read", json!({ "messageId": message["id"] })).await;
}

/// More than an outbox takes, and all at once.
#[tokio::test]
async fn an_author_hears_of_ten_rooms_that_somebody_catches_up_in() {
    const ROOMS: usize = 10;
    const EACH: usize = 100;
    let cluster = Plan::nodes(2).unlimited().start().await;
    let mut alice = cluster.connect(0, "alice").await;
    let mut bob = cluster.connect(1, "bob").await;
    let mut places = Vec::new();
    for number in 0..ROOMS {
        let room = format!("room-{number}");
        places.push(alice.ok("conversation:join", json!(room)).await["position"].clone());
        alice.say_all(&room, &numbered(1..=EACH)).await;
    }
    let mut asked = Vec::new();
    for (number, since) in places.iter().enumerate() {
        let join = json!({ "conversationId": format!("room-{number}"), "since": since });
        asked.push(bob.ask("conversation:join", join).await);
    }
    for id in asked {
        assert_eq!(bob.answer(id).await["missed"], EACH);
    }
    let delivered = alice.expect_many("message:delivered", ROOMS * EACH, SOON).await;
    let mut ids = ids(&delivered, "messageId");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), ROOMS * EACH);
    assert!(alice.is_open());
}
