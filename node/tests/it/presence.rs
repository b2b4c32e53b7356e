//! Users come and go once each, whatever number of devices and nodes they use.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::cluster::Cluster;
use crate::harness::journal::Journal;
use crate::harness::{SOON, allowed};

/// A user who is gone for less has reloaded the page.
const GRACE: Duration = Duration::from_secs(5);

fn about<'a>(events: &'a [Value], user: &str) -> Vec<&'a Value> {
    events.iter().filter(|it| it["userId"] == user).collect()
}

/// Somebody comes: whoever has heard that has heard all that was before.
async fn come(cluster: &Cluster, node: usize, listener: &mut Client, user: &str) -> Client {
    let marker = cluster.join(node, user, "room").await;
    while listener.expect("user:online").await["userId"] != user {}
    marker
}

/// Somebody comes to node 0 and goes: whoever has heard that has heard of everyone who went there
/// before.
async fn come_and_go(cluster: &Cluster, listener: &mut Client, user: &str) {
    come(cluster, 0, listener, user).await.disconnect().await;
    let offline = listener.expect_within("user:offline", allowed(GRACE) + SOON).await;
    assert_eq!(offline["userId"], user);
}

#[tokio::test]
async fn a_user_with_many_devices_comes_once_and_goes_once() {
    let cluster = Cluster::of_two().await;
    let mut dave = cluster.join(1, "dave", "room").await;
    let mut devices = Vec::new();
    for node in [0, 1, 0] {
        devices.push(cluster.join(node, "alice", "room").await);
    }
    let online = json!({ "userId": "alice", "status": "online" });
    assert_eq!(dave.expect("user:online").await, online);

    devices.pop();
    devices.remove(0).disconnect().await;
    // Longer than the grace: whoever goes after alice's two devices and is gone proves it.
    come_and_go(&cluster, &mut dave, "first").await;
    assert_eq!(dave.heard("user:offline").len(), 1, "one device is left");

    devices.remove(0).disconnect().await;
    let offline = dave.expect_within("user:offline", allowed(GRACE) + SOON).await;
    assert_eq!(offline, json!({ "userId": "alice" }));

    let _marker = come(&cluster, 1, &mut dave, "marker").await;
    assert_eq!(about(&dave.heard("user:online"), "alice").len(), 1);
    assert_eq!(about(&dave.heard("user:offline"), "alice").len(), 1);
    assert_eq!(about(&dave.heard("user:online"), "dave").len(), 0, "nobody hears of themselves");
}

#[tokio::test]
async fn a_user_who_returns_within_the_grace_was_never_gone() {
    let cluster = Cluster::of_two().await;
    let mut dave = cluster.join(1, "dave", "room").await;
    let alice = cluster.join(0, "alice", "room").await;
    dave.expect("user:online").await;
    drop(alice);
    let _back = cluster.join(1, "alice", "room").await;
    // Gone later, and for longer: heard after anything that could be heard of alice.
    come_and_go(&cluster, &mut dave, "later").await;
    assert_eq!(about(&dave.heard("user:online"), "alice").len(), 1);
    assert_eq!(dave.heard("user:offline").len(), 1);
}

#[tokio::test]
async fn a_joiner_hears_of_everyone_who_is_there() {
    let cluster = Cluster::of_two().await;
    let mut alice = cluster.join(0, "alice", "room").await;
    let _bob = cluster.join(1, "bob", "room").await;
    alice.ok("user:status", json!("busy")).await;
    alice.expect("user:online").await;
    let mut carol = cluster.join(1, "carol", "room").await;
    let mut there = carol.expect_many("user:online", 2, SOON).await;
    there.sort_by_key(|it| it["userId"].to_string());
    assert_eq!(
        there,
        [
            json!({ "userId": "alice", "status": "busy" }),
            json!({ "userId": "bob", "status": "online" }),
        ]
    );
    assert_eq!(alice.expect("user:online").await["userId"], "carol");
}

#[tokio::test]
async fn whoever_left_and_came_back_hears_of_those_who_do_the_same_later() {
    let cluster = Cluster::of_two().await;
    let mut alice = cluster.join(0, "alice", "room").await;
    let mut bob = cluster.join(1, "bob", "room").await;
    alice.expect("user:online").await;
    bob.ok("conversation:leave", json!("room")).await;
    alice.ok("conversation:leave", json!("room")).await;
    alice.ok("conversation:join", json!("room")).await;
    bob.ok("conversation:join", json!("room")).await;
    // Bob was online all the while, and alice knew it once; but who leaves may forget.
    let _marker = come(&cluster, 1, &mut alice, "marker").await;
    assert_eq!(about(&alice.heard("user:online"), "bob").len(), 2);
}

#[tokio::test]
async fn a_status_is_told_to_everyone_in_the_users_rooms() {
    let cluster = Cluster::of_two().await;
    let mut alice = cluster.join(0, "alice", "room").await;
    let mut dave = cluster.join(1, "dave", "room").await;
    dave.expect("user:online").await;
    for status in ["away", "busy", "online"] {
        assert_eq!(alice.ok("user:status", json!(status)).await["status"], status);
        let told = dave.expect("user:online").await;
        assert_eq!(told, json!({ "userId": "alice", "status": status }));
    }

    alice.ok("user:status", json!("offline")).await;
    assert_eq!(dave.expect("user:offline").await, json!({ "userId": "alice" }));
    // Seen as offline, but there: messages come and go.
    dave.say("room", "psst").await;
    assert_eq!(alice.expect("message:new").await["content"], "psst");

    // When the connection goes, too, that is no second departure.
    alice.disconnect().await;
    come_and_go(&cluster, &mut dave, "later").await;
    assert_eq!(about(&dave.heard("user:offline"), "alice").len(), 1);
}

#[tokio::test]
async fn users_who_go_as_soon_as_they_came_leave_no_trace() {
    const USERS: usize = 60;
    let cluster = Cluster::of_two().await;
    let mut dave = cluster.join(1, "dave", "room").await;
    let brief = (0..USERS).map(|index| {
        let cluster = &cluster;
        async move {
            let client = cluster.join(index % 2, &format!("user-{index}"), "room").await;
            if index % 3 == 0 { drop(client) } else { client.disconnect().await }
        }
    });
    join_all(brief).await;
    for node in [0, 1] {
        let marker = come(&cluster, node, &mut dave, &format!("marker-{node}")).await;
        marker.disconnect().await;
    }
    let both_gone = |it: &Journal| {
        let gone = |user| it.named("user:offline").any(|it| it["userId"] == user);
        gone("marker-0") && gone("marker-1")
    };
    dave.wait("the markers are gone", allowed(GRACE) + SOON, both_gone).await;
    for index in 0..USERS {
        let user = format!("user-{index}");
        let came = about(&dave.heard("user:online"), &user).len();
        let went = about(&dave.heard("user:offline"), &user).len();
        assert!(came == went && came <= 1, "{user} came {came} times and went {went} times");
    }
    // Whoever joins now hears of those who are there: of dave alone.
    let mut erin = cluster.join(0, "erin", "room").await;
    assert_eq!(erin.expect("user:online").await["userId"], "dave");
    come(&cluster, 1, &mut erin, "last").await;
    assert_eq!(erin.heard("user:online").len(), 2);
}
