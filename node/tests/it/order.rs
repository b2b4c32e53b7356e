//! What one client sends is taken in the order in which it was sent, from its very first event on.

use futures_util::future::join_all;
use serde_json::json;

use crate::harness::client::numbered;
use crate::harness::cluster::{Cluster, Plan};

/// Clients that send at the same time.
const CLIENTS: usize = 20;

#[tokio::test]
async fn events_that_follow_the_answer_to_connect_at_once_are_not_lost() {
    const ROUNDS: usize = 50;
    let cluster = Cluster::of_two().await;
    let clients = (0..CLIENTS).map(|index| {
        let dial = cluster.dial(index % 2);
        let dial = if index < CLIENTS / 5 { dial.polling() } else { dial };
        async move {
            let user = format!("user-{index}");
            for round in 0..ROUNDS {
                let mut client = dial.clone().user(&user).connect().await;
                let room = format!("room-{index}-{round}");
                let (joined, join) = client.asking("conversation:join", &json!(room));
                let send = json!({ "conversationId": room, "content": "first" });
                let (sent, send) = client.asking("message:send", &send);
                client.send(vec![join, send]).await;
                assert_eq!(client.answer(joined).await["ok"], true);
                assert_eq!(client.answer(sent).await["seq"], 1);
            }
        }
    });
    join_all(clients).await;
}

#[tokio::test]
async fn a_thousand_bursts_of_200_messages_keep_their_order() {
    const BURSTS: usize = 1_000 / CLIENTS;
    const BURST: usize = 200;
    let cluster = Plan::nodes(2).unlimited().start().await;
    let clients = (0..CLIENTS).map(|index| {
        let cluster = &cluster;
        async move {
            let room = format!("room-{index}");
            let mut client = cluster.join(index % 2, &format!("user-{index}"), &room).await;
            for burst in 0..BURSTS {
                let texts = numbered(1..=BURST);
                let acks = client.say_all(&room, &texts).await;
                for (index, ack) in acks.iter().enumerate() {
                    assert_eq!(ack["seq"], json!(burst * BURST + index + 1));
                }
            }
        }
    });
    join_all(clients).await;
}
