//! What is taken back ends at once, everywhere, and stays so.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::harness::client::{Client, numbered};
use crate::harness::cluster::{Cluster, Plan};
use crate::harness::dial::Dial;
use crate::harness::journal::{Journal, Standing};
use crate::harness::proxy::Fate;
use crate::harness::token::{in_seconds, sign};
use crate::harness::{SOON, allowed};

/// On every node, whatever it is busy with.
const PROMISED: Duration = Duration::from_secs(1);

/// A token of alice's issued so many seconds ago.
fn issued(seconds_ago: i64, id: &str) -> Value {
    let times = (in_seconds(-seconds_ago), in_seconds(600));
    json!({ "token": sign(&json!({ "sub": "alice", "jti": id, "iat": times.0, "exp": times.1 })) })
}

async fn joined(dial: Dial, token: &Value) -> Client {
    let mut client = dial.auth(token.clone()).connect().await;
    client.ok("conversation:join", json!("room")).await;
    client
}

async fn check_refused(cluster: &Cluster, token: &Value) {
    for node in [0, 1] {
        for dial in [cluster.dial(node), cluster.dial(node).polling()] {
            let why = dial.auth(token.clone()).try_connect().await.expect_err("it was revoked");
            // Who polls is told the code alone.
            let code = why["data"]["code"].as_str().or_else(|| why["message"].as_str());
            assert_eq!(code, Some("AUTH_REQUIRED"), "{why}");
        }
        let mut late = cluster.dial(node).connect().await;
        let error = late.refused("authenticate", token.clone()).await;
        assert_eq!(error["code"], "AUTH_REQUIRED");
    }
}

#[tokio::test]
async fn a_revoked_user_is_put_out_of_every_node_within_a_second_under_load() {
    let cluster = Plan::nodes(2).unlimited().with_api().open().start().await;
    let application = cluster.api(0);
    let token = issued(5, "t-1");
    let mut others = Vec::new();
    for n in 0..20 {
        others.push(cluster.join(n % 2, &format!("user-{n}"), "room").await);
    }
    let mut revoked = vec![
        joined(cluster.dial(0), &token).await,
        joined(cluster.dial(1), &issued(2, "t-2")).await,
        joined(cluster.dial(1).polling(), &token).await,
    ];
    let (mut writer, witness) = (others.remove(0), others.remove(0));
    let write = async {
        for texts in numbered(1..=3_000).chunks(50) {
            writer.say_all("room", texts).await;
        }
        writer
    };
    let revoke = async {
        for client in &mut revoked {
            client.expect("message:new").await;
        }
        let began = Instant::now();
        application.revoke_user("alice").await;
        for client in &revoked {
            assert_eq!(client.ended(allowed(PROMISED)).await, Standing::Connected);
        }
        let took = began.elapsed();
        assert!(took < allowed(PROMISED), "{took:?}");
        sleep(PROMISED).await; // not luck: what follows is about after this second
        revoked.iter().map(|it| it.heard("message:new").len()).collect::<Vec<_>>()
    };
    let (mut writer, heard) = tokio::join!(write, revoke);
    writer.say("room", "last").await;
    witness
        .wait("the last message", SOON, |it| {
            it.named("message:new").any(|it| it["content"] == "last")
        })
        .await;
    let after: Vec<usize> = revoked.iter().map(|it| it.heard("message:new").len()).collect();
    assert_eq!(after, heard);
    assert!(others.iter().all(Client::is_open));

    check_refused(&cluster, &token).await;
    // Whoever signs in anew is let in: the token is younger. Half a minute of clocks is allowed.
    joined(cluster.dial(1), &issued(-2, "t-3")).await;
}

#[tokio::test]
async fn a_revoked_token_takes_its_own_connections_alone() {
    let cluster = Plan::nodes(2).with_api().open().start().await;
    let application = cluster.api(0);
    let (lost, kept) = (issued(5, "lost"), issued(5, "kept"));
    let ended = joined(cluster.dial(0), &lost).await;
    let mut other = joined(cluster.dial(1), &kept).await;
    // A connection goes with the token that it showed last.
    let mut renewed = joined(cluster.dial(0), &lost).await;
    renewed.ok("authenticate", kept.clone()).await;
    let mut exchanged = joined(cluster.dial(1), &kept).await;
    exchanged.ok("authenticate", lost.clone()).await;

    application.revoke_token("lost").await;
    assert_eq!(ended.ended(allowed(PROMISED)).await, Standing::Connected);
    assert_eq!(exchanged.ended(allowed(PROMISED)).await, Standing::Connected);
    check_refused(&cluster, &lost).await;
    other.say("room", "still here").await;
    assert_eq!(renewed.expect("message:new").await["content"], "still here");
    assert_eq!(renewed.refused("authenticate", lost).await["code"], "AUTH_REQUIRED");
    assert!(renewed.is_open());
}

#[tokio::test]
async fn a_node_that_missed_a_revocation_learns_of_it() {
    let mut cluster = Plan::nodes(2).proxied().with_api().open().start().await;
    let application = cluster.api(0);
    let token = issued(5, "t-1");
    let client = joined(cluster.dial(1), &token).await;
    cluster.proxy(1).spoil(|_| Fate::Drop);
    application.revoke_user("alice").await;
    // A loss shows with the next thing that is heard.
    cluster.proxy(1).spoil(|_| Fate::Pass);
    assert_eq!(client.ended(allowed(Duration::from_secs(2))).await, Standing::Connected);

    // And one that was not there.
    cluster.signal(1, Signal::KILL);
    cluster.exited(1, SOON).await;
    cluster.restart(1).await;
    check_refused(&cluster, &token).await;
}

#[tokio::test]
async fn a_node_that_missed_a_ban_learns_of_it() {
    let cluster = Plan::nodes(2).proxied().with_api().open().start().await;
    let mut writer = cluster.join(0, "writer", "room").await;
    let mut bob = cluster.join(1, "bob", "room").await;
    let mut witness = cluster.join(1, "witness", "room").await;
    // Of what tells the nodes of it, this one hears nothing at all.
    cluster.proxy(1).spoil(move |it| {
        let is_told = it.holds("Disconnect") || it.holds("b bob");
        if is_told { Fate::Drop } else { Fate::Pass }
    });
    cluster.api(0).ok("PUT", "/v1/users/bob/ban", json!({})).await;
    let is_out = |it: &Journal| it.standing == Standing::Disconnected;
    bob.wait("bob is put out", allowed(Duration::from_secs(2)), is_out).await;
    writer.say("room", "unheard").await;
    assert_eq!(witness.expect("message:new").await["content"], "unheard");
    assert_eq!(bob.heard("message:new"), [Value::Null; 0]);
    assert!(0 < cluster.proxy(1).spoiled().dropped);
    // Once lifted it is over.
    cluster.api(0).ok("DELETE", "/v1/users/bob/ban", Value::Null).await;
    bob = cluster.join(1, "bob", "room").await;
    writer.say("room", "again").await;
    assert_eq!(bob.expect("message:new").await["content"], "again");
    assert!(bob.is_open());
}
