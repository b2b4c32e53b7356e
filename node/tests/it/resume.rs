//! A client that was away says where it was, and is given what it missed.

use serde_json::json;

use crate::harness::SOON;
use crate::harness::client::{contents, numbered};
use crate::harness::cluster::Plan;

#[tokio::test]
async fn a_client_that_was_away_is_given_exactly_what_it_missed_by_the_other_node() {
    let cluster = Plan::nodes(2).unlimited().start().await;
    let mut alice = cluster.join(0, "alice", "room").await;
    let mut bob = cluster.join(0, "bob", "room").await;
    let mut carol = cluster.connect(0, "carol").await;
    alice.say_all("room", &numbered(1..=5)).await;
    let last_heard = bob.expect_many("message:new", 5, SOON).await.remove(4);
    let position = carol.ok("conversation:join", json!("room")).await["position"].clone();
    assert_eq!(position["seq"], 5);
    drop((bob, carol));

    alice.say_all("room", &numbered(6..=55)).await;
    let mut back = Vec::new();
    for (user, since) in [("bob", &last_heard["id"]), ("carol", &position)] {
        let mut client = cluster.connect(1, user).await;
        let join = json!({ "conversationId": "room", "since": since });
        let joined = client.ok("conversation:join", join).await;
        assert_eq!((&joined["resumed"], &joined["missed"]), (&json!(true), &json!(50)));
        back.push(client);
    }
    alice.say("room", "live").await;
    for client in &mut back {
        let heard = client.expect_many("message:new", 51, SOON).await;
        assert_eq!(contents(&heard[..50]), numbered(6..=55));
        assert_eq!(heard[50]["content"], "live");
    }
}

#[tokio::test]
async fn a_resume_brings_ones_own_messages_too() {
    let cluster = Plan::nodes(2).unlimited().start().await;
    let mut alice = cluster.join(0, "alice", "room").await;
    let acks = alice.say_all("room", &numbered(1..=3)).await;
    let mut back = cluster.connect(1, "alice").await;
    let join = json!({ "conversationId": "room", "since": acks[0]["id"] });
    assert_eq!(back.ok("conversation:join", join).await["missed"], 2);
    assert_eq!(contents(&back.expect_many("message:new", 2, SOON).await), ["2", "3"]);
}

#[tokio::test]
async fn messages_that_come_while_a_client_catches_up_come_after_what_it_missed() {
    let cluster = Plan::nodes(2).unlimited().start().await;
    let mut alice = cluster.join(0, "alice", "room").await;
    let first = alice.say("room", "0").await;
    for start in (1..=801).step_by(200).take(4) {
        alice.say_all("room", &numbered(start..=start + 199)).await;
    }
    let mut bob = cluster.connect(1, "bob").await;
    let join = json!({ "conversationId": "room", "since": first["id"] });
    let joined = bob.ask("conversation:join", join).await;
    let during = numbered(801..=1_000);
    let (_, joined) = tokio::join!(alice.say_all("room", &during), bob.answer(joined));
    assert_eq!(joined["resumed"], true);
    let heard = bob.expect_many("message:new", 1_000, SOON).await;
    assert_eq!(contents(&heard), numbered(1..=1_000));
}

#[tokio::test]
async fn who_missed_more_than_a_thousand_messages_starts_afresh_and_is_told_so() {
    let cluster = Plan::nodes(1).unlimited().start().await;
    let mut alice = cluster.join(0, "alice", "room").await;
    let first = alice.say("room", "0").await;
    for start in (1..=1_001).step_by(200) {
        alice.say_all("room", &numbered(start..=start + 199)).await;
    }
    let mut bob = cluster.connect(0, "bob").await;
    let join = json!({ "conversationId": "room", "since": first["id"] });
    let joined = bob.ok("conversation:join", join).await;
    assert_eq!(joined["resumed"], false);
    assert_eq!(joined["position"]["seq"], 1_201);
    alice.say("room", "live").await;
    bob.wait("the live message comes", SOON, |it| {
        it.named("message:new").any(|it| it["content"] == "live")
    })
    .await;
}

#[tokio::test]
async fn what_was_said_before_a_restart_is_nobodys_own_after_it() {
    let mut cluster = Plan::nodes(1).unlimited().start().await;
    let mut alice = cluster.join(0, "alice", "room").await;
    let place = alice.ok("conversation:join", json!("room")).await["position"].clone();
    alice.say("room", "before").await;
    cluster.signal(0, rustix::process::Signal::KILL);
    cluster.exited(0, SOON).await;
    cluster.restart(0).await;
    // One of them is to the new process what alice was to the former one.
    let mut back = Vec::new();
    for number in 0..5 {
        back.push(cluster.connect(0, &format!("user-{number}")).await);
    }
    for bob in &mut back {
        let join = json!({ "conversationId": "room", "since": place });
        assert_eq!(bob.ok("conversation:join", join).await["missed"], 1);
    }
    alice = cluster.join(0, "alice", "room").await;
    alice.say("room", "after").await;
    for bob in &mut back {
        let heard = bob.expect_many("message:new", 2, SOON).await;
        assert_eq!(contents(&heard), ["before", "after"]);
    }
}
