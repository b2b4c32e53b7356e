//! Connections that have died without a word are found; quiet ones that live are kept.

use std::time::Duration;

use serde_json::json;

use crate::harness::cluster::{Cluster, Plan};
use crate::harness::{SOON, allowed};

/// A node that pings every second, and waits a second for the pong.
async fn cluster() -> Cluster {
    Plan::nodes(1)
        .with("PARLANCE_HEARTBEAT__INTERVAL_MS", "1000")
        .with("PARLANCE_HEARTBEAT__TIMEOUT_MS", "1000")
        .start()
        .await
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_gone() {
    let cluster = cluster().await;
    let mut alice = cluster.join(0, "alice", "room").await;
    let bob = cluster.join(0, "bob", "room").await;
    alice.expect("user:online").await;
    // Who reads nothing answers nothing; the connection itself stays open.
    bob.read(false);
    // A second for the ping, one for the pong, five of grace.
    let offline = alice.expect_within("user:offline", allowed(Duration::from_secs(7))).await;
    assert_eq!(offline["userId"], "bob");
    bob.read(true);
    bob.ended(SOON).await;
}

#[tokio::test]
async fn a_quiet_client_that_answers_pings_stays() {
    let cluster = cluster().await;
    let mut quiet = [
        cluster.join(0, "alice", "room").await,
        cluster.dial(0).user("bob").polling().connect().await,
    ];
    quiet[1].ok("conversation:join", json!("room")).await;
    let mut carol = cluster.join(0, "carol", "room").await;
    // Several pings' time.
    tokio::time::sleep(Duration::from_secs(5)).await;
    carol.say("room", "anybody there?").await;
    for client in &mut quiet {
        client.expect("message:new").await;
        assert!(client.is_open());
    }
}
