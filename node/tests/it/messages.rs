//! A message reaches everyone else once, in one order, and its sender is told its place.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::harness::SOON;
use crate::harness::client::{contents, numbered};
use crate::harness::cluster::{Cluster, Plan};

#[tokio::test]
async fn a_message_reaches_every_member_on_both_nodes_once_and_in_one_order() {
    const MESSAGES: usize = 60;
    let cluster = Plan::nodes(2).unlimited().start().await;
    let mut alice = cluster.join(0, "alice", "room").await;
    let mut bob = cluster.join(1, "bob", "room").await;
    let mut listeners = Vec::new();
    for node in [0, 1] {
        listeners.push(cluster.join(node, "carol", "room").await);
        let mut polling = cluster.dial(node).user("dave").polling().connect().await;
        polling.ok("conversation:join", json!("room")).await;
        listeners.push(polling);
    }

    let texts = |who: &str| -> Vec<String> {
        numbered(1..=MESSAGES).into_iter().map(|it| format!("{who} {it}")).collect()
    };
    let (by_alice, by_bob) = (texts("alice"), texts("bob"));
    let (alice_acks, bob_acks) =
        tokio::join!(alice.say_all("room", &by_alice), bob.say_all("room", &by_bob));

    let seqs: HashMap<String, u64> = alice_acks
        .iter()
        .chain(&bob_acks)
        .map(|it| (it["id"].as_str().unwrap().to_owned(), it["seq"].as_u64().unwrap()))
        .collect();
    let heard_seqs = |messages: &[Value]| -> Vec<u64> {
        messages.iter().map(|it| seqs[it["id"].as_str().unwrap()]).collect()
    };
    let everything: Vec<u64> = (1..=2 * MESSAGES as u64).collect();
    for listener in &mut listeners {
        let messages = listener.expect_many("message:new", 2 * MESSAGES, SOON).await;
        assert_eq!(heard_seqs(&messages), everything);
    }
    // A sender's connection hears the others only, and in the same order.
    assert_eq!(contents(&alice.expect_many("message:new", MESSAGES, SOON).await), by_bob);
    assert_eq!(contents(&bob.expect_many("message:new", MESSAGES, SOON).await), by_alice);

    let mut erin = cluster.join(1, "erin", "room").await;
    erin.say("room", "the last one").await;
    for client in listeners.iter_mut().chain([&mut alice, &mut bob]) {
        assert_eq!(client.expect("message:new").await["content"], "the last one");
    }
}

#[tokio::test]
async fn a_message_and_its_ack_carry_the_same_id_and_time() {
    let cluster = Cluster::of_two().await;
    let mut alice = cluster.connect(0, "alice").await;
    let connected = alice.expect("connected").await;
    assert_eq!(connected["userId"], "alice");
    assert!(connected["socketId"].is_string());
    alice.ok("conversation:join", json!("room")).await;
    let mut bob = cluster.join(1, "bob", "room").await;

    let ack = alice.say("room", "hello").await;
    assert_eq!((&ack["conversationId"], &ack["seq"]), (&json!("room"), &json!(1)));
    let hello = json!({
        "id": ack["id"],
        "conversationId": "room",
        "senderId": "alice",
        "content": "hello",
        "type": "text",
        "timestamp": ack["timestamp"],
    });
    assert_eq!(bob.expect("message:new").await, hello);
    let timestamp = ack["timestamp"].as_str().unwrap();
    assert!(timestamp.len() == 24 && timestamp.ends_with('Z'), "{timestamp}");

    let image = json!({ "conversationId": "room", "content": "a.png", "type": "image" });
    assert_eq!(alice.ok("message:send", image).await["seq"], 2);
    assert_eq!(bob.expect("message:new").await["type"], "image");
}

#[tokio::test]
async fn a_repeated_client_message_id_is_stored_once_and_acked_alike_by_either_node() {
    let cluster = Cluster::of_two().await;
    let mut here = cluster.join(0, "alice", "room").await;
    let mut there = cluster.join(1, "alice", "room").await;
    let mut bob = cluster.join(1, "bob", "room").await;
    let send = json!({ "conversationId": "room", "content": "once", "clientMessageId": "m-1" });

    let first = here.ok("message:send", send.clone()).await;
    assert_eq!(here.ok("message:send", send.clone()).await, first);
    assert_eq!(there.ok("message:send", send.clone()).await, first);
    let (a, b) = tokio::join!(
        here.call("message:send", send.clone()),
        there.call("message:send", send.clone())
    );
    assert_eq!((&a, &b), (&first, &first));

    // Another sender's message of that name is another message.
    let by_bob = bob.ok("message:send", send).await;
    assert_eq!(by_bob["seq"], 2);
    assert_eq!(here.say("room", "last").await["seq"], 3);
    let heard = bob.expect_many("message:new", 2, SOON).await;
    assert_eq!(contents(&heard), ["once", "last"]);
}

#[tokio::test]
async fn a_message_reaches_the_senders_own_other_devices_and_no_other_room() {
    let cluster = Cluster::of_two().await;
    let mut phone = cluster.join(0, "alice", "room").await;
    let mut desk = cluster.join(1, "alice", "room").await;
    let mut elsewhere = cluster.join(1, "bob", "another").await;
    phone.say("room", "from the phone").await;
    assert_eq!(desk.expect("message:new").await["content"], "from the phone");
    desk.ok("conversation:join", json!("another")).await;
    desk.say("another", "elsewhere").await;
    assert_eq!(elsewhere.expect("message:new").await["content"], "elsewhere");
    assert_eq!(elsewhere.heard("message:new").len(), 1);
}

#[tokio::test]
async fn nothing_of_a_room_comes_behind_the_answer_to_leaving_it() {
    const ROUNDS: usize = 100;
    // As often as that may be left and joined in ten seconds.
    let plan = Plan::nodes(1).unlimited().with("PARLANCE_LIMITS__ROOMS_PER_CONNECTION", "1000");
    let cluster = plan.start().await;
    let mut alice = cluster.join(0, "alice", "room").await;
    let mut bob = cluster.join(0, "bob", "room").await;
    let mut asked = Vec::new();
    let mut away = Vec::new();
    for round in 0..ROUNDS {
        // On their way while bob leaves.
        for nth in 0..4 {
            let content = format!("{round}.{nth}");
            let message = json!({ "conversationId": "room", "content": content });
            asked.push(alice.ask("message:send", message).await);
        }
        let left = bob.ask("conversation:leave", json!("room")).await;
        let back = bob.ask("conversation:join", json!("room")).await;
        let joined = bob.answer(back).await;
        assert_eq!(joined["ok"], json!(true), "{joined}");
        away.push((left, back));
    }
    for id in asked {
        let sent = alice.answer(id).await;
        assert_eq!(sent["ok"], json!(true), "{sent}");
    }
    let strays: Vec<_> = bob.look(|journal| {
        let at = |id| journal.ack(id).map(|(at, _)| *at).unwrap();
        let away: Vec<_> = away.iter().map(|(left, back)| at(*left)..at(*back)).collect();
        let messages = journal.events.iter().filter(|it| it.name == "message:new");
        messages.filter(|it| away.iter().any(|away| away.contains(&it.at))).cloned().collect()
    });
    assert_eq!(strays, []);
}

#[tokio::test]
async fn whoever_has_left_a_room_hears_nothing_more_of_it() {
    let cluster = Cluster::of_two().await;
    let mut alice = cluster.join(0, "alice", "room").await;
    let mut bob = cluster.join(1, "bob", "room").await;
    bob.ok("conversation:join", json!("other")).await;
    bob.ok("conversation:leave", json!("room")).await;
    alice.say("room", "unheard").await;
    let mut carol = cluster.join(1, "carol", "other").await;
    carol.say("other", "heard").await;
    assert_eq!(bob.expect("message:new").await["content"], "heard");
    assert_eq!(
        bob.refused("message:send", json!({ "conversationId": "room", "content": "x" })).await["code"],
        "NOT_A_MEMBER"
    );
}
