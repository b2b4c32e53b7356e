//! Five protocols in one room on two nodes: everybody hears everything, once, in one order.

use serde_json::{Value, json};

use crate::harness::SOON;
use crate::harness::client::Client;
use crate::harness::cluster::{Cluster, Plan};
use crate::harness::token::{in_seconds, sign, token};

/// Messages of one person at a time, and how often.
const AT_ONCE: usize = 10;
const TIMES: usize = 20;
const PEOPLE: usize = 5;

/// How one protocol writes a message and tells of one.
struct Person {
    client: Client,
    name: &'static str,
    send: fn(&str) -> (&'static str, Value),
    told: (&'static str, &'static str),
    /// Its own messages are not told to it.
    others_only: bool,
}

async fn case(cluster: &Cluster) -> Person {
    let greeting = json!({
        "userId": "carol", "caseId": "1", "role": "user", "userName": "carol", "token": token("carol"),
    });
    let mut client = cluster.dial(0).namespace("/chat").auth(greeting).connect().await;
    client.expect("auth:authenticated").await;
    let send = |text: &str| ("message:send", json!({ "caseId": "1", "text": text }));
    Person { client, name: "carol", send, told: ("message:receive", "/text"), others_only: false }
}

async fn flow(cluster: &Cluster) -> Person {
    let mut client = cluster.dial(1).envelopes("/ws").connect().await;
    client.emit("AUTHENTICATE", json!({ "payload": { "token": token("fay") } })).await;
    client.emit("JOIN_ROOM", json!({ "payload": { "roomId": "1" } })).await;
    client.expect("ROOM_JOINED").await;
    let send =
        |text: &str| ("SEND_MESSAGE", json!({ "payload": { "roomId": "1", "content": text } }));
    let told = ("NEW_MESSAGE", "/payload/content");
    Person { client, name: "fay", send, told, others_only: false }
}

async fn desk(cluster: &Cluster) -> Person {
    let claims = json!({ "sub": "5", "name": "Dan", "role": "agent", "exp": in_seconds(3_600) });
    let shown = json!({ "token": sign(&claims), "dialect": "desk" });
    let mut client = cluster.dial(0).auth(shown).connect().await;
    client.emit("joinChatGroup", json!({ "groupId": 1 })).await;
    client.expect("joinedRoom").await;
    let send = |text: &str| ("sendMessage", json!({ "message": text, "chatGroupId": 1 }));
    Person {
        client,
        name: "dan",
        send,
        told: ("receiveMessage", "/chat_message"),
        others_only: false,
    }
}

async fn conversation(cluster: &Cluster) -> Person {
    let client = cluster.join(1, "ann", "1").await;
    let send = |text: &str| ("message:send", json!({ "conversationId": "1", "content": text }));
    Person { client, name: "ann", send, told: ("message:new", "/content"), others_only: true }
}

async fn ticket(cluster: &Cluster) -> Person {
    let mut client = cluster.dial(0).auth(json!({ "dialect": "ticket" })).connect().await;
    client.emit("authenticate", json!({ "token": token("tim") })).await;
    client.emit("join_ticket", json!({ "ticketId": "1" })).await;
    client.expect("joined_ticket").await;
    let send = |text: &str| ("send_message", json!({ "ticketId": "1", "message": text }));
    Person { client, name: "tim", send, told: ("new_message", "/data/message"), others_only: false }
}

impl Person {
    fn texts(&self) -> Vec<String> {
        let (event, place) = self.told;
        let text = |told: &Value| told.pointer(place).unwrap().as_str().unwrap().to_owned();
        self.client.heard(event).iter().map(text).collect()
    }

    /// Waits until it has heard what all have sent in so many rounds.
    async fn hears(&self, rounds: usize) {
        let senders = if self.others_only { PEOPLE - 1 } else { PEOPLE };
        let count = senders * AT_ONCE * rounds;
        let what = format!("{} hears {count}", self.name);
        self.client.wait(&what, SOON, |it| count <= it.named(self.told.0).count()).await;
    }
}

#[tokio::test]
async fn five_protocols_hear_a_thousand_messages_once_and_in_one_order() {
    let plan = Plan::nodes(2).unlimited().with("PARLANCE_LIMITS__MESSAGES_PER_MINUTE", "0");
    let cluster = plan.start().await;
    let people = [
        case(&cluster).await,
        flow(&cluster).await,
        desk(&cluster).await,
        conversation(&cluster).await,
        ticket(&cluster).await,
    ];
    for round in 0..TIMES {
        for number in 0..AT_ONCE {
            for person in &people {
                let text = format!("{} {}", person.name, round * AT_ONCE + number);
                let (event, argument) = (person.send)(&text);
                person.client.emit(event, argument).await;
            }
        }
        for person in &people {
            person.hears(round + 1).await;
        }
    }
    let all = people[0].texts();
    assert_eq!(all.len(), PEOPLE * AT_ONCE * TIMES);
    for person in &people {
        let own: Vec<_> = all.iter().filter(|it| it.starts_with(person.name)).collect();
        let sent: Vec<_> = (0..AT_ONCE * TIMES).map(|it| format!("{} {it}", person.name)).collect();
        assert_eq!(own, sent.iter().collect::<Vec<_>>(), "each once, as {} sent", person.name);
        let expected: Vec<_> = all
            .iter()
            .filter(|it| !person.others_only || !it.starts_with(person.name))
            .cloned()
            .collect();
        assert_eq!(person.texts(), expected, "{} hears the same", person.name);
    }
}
