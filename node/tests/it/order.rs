//! What one client sends is taken in the order in which it was sent, from its very first event on.

use futures_util::future::join_all;
use serde_json::json;

use crate::harness::client::numbered;
use crate::harness::cluster::{Cluster, Plan};
use crate::harness::dial::Dial;
use crate::harness::journal::{Journal, Standing};
use crate::harness::{SOON, token};

/// Clients that send at the same time.
const CLIENTS: usize = 20;

/// How often each of them comes anew.
const ROUNDS: usize = 50;

/// Whether the first events wait for the answer to CONNECT.
#[derive(Clone, Copy)]
enum Start {
    AfterConnect,
    WithConnect,
}

/// A thousand times: a client's first two events are answered, in their order.
async fn first_events_are_not_lost(start: Start, way: fn(Dial) -> Dial) {
    let cluster = Cluster::of_two().await;
    let clients = (0..CLIENTS).map(|index| {
        let dial = way(cluster.dial(index % 2));
        async move {
            let auth = json!({ "token": token::token(&format!("user-{index}")) });
            for round in 0..ROUNDS {
                let mut client = dial.clone().open().await;
                let room = format!("room-{index}-{round}");
                let (joined, join) = client.asking("conversation:join", &json!(room));
                let send = json!({ "conversationId": room, "content": "first" });
                let (sent, send) = client.asking("message:send", &send);
                match start {
                    Start::WithConnect => client.send_connect(&auth, &[join, send]).await,
                    Start::AfterConnect => {
                        client.send_connect(&auth, &[]).await;
                        let connected = |it: &Journal| it.standing == Standing::Connected;
                        client.wait("CONNECT is answered", SOON, connected).await;
                        client.send(vec![join, send]).await;
                    }
                }
                assert_eq!(client.answer(joined).await["ok"], true);
                assert_eq!(client.answer(sent).await["seq"], 1);
            }
        }
    });
    join_all(clients).await;
}

#[tokio::test]
async fn events_right_after_connect_are_not_lost() {
    first_events_are_not_lost(Start::AfterConnect, |it| it).await;
}

#[tokio::test]
async fn events_in_the_same_burst_as_connect_are_not_lost_over_a_websocket() {
    first_events_are_not_lost(Start::WithConnect, |it| it).await;
}

#[tokio::test]
async fn events_in_the_same_burst_as_connect_are_not_lost_over_polling() {
    first_events_are_not_lost(Start::WithConnect, Dial::polling).await;
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
