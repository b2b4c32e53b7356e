//! Presence, receipts and limits of real nodes: what one node tells, another hears.

#[cfg(test)]
#[expect(dead_code, reason = "each test binary uses its part")]
mod store_support;

use std::time::Duration;

use parlance::domain::id::{RoomId, UserId};
use parlance::domain::position::Position;
use parlance::domain::presence::{Presence, Status};
use parlance::domain::quota::Limit;
use parlance::domain::room::Visibility;
use parlance::domain::signal::Signal;
use parlance::domain::topic::Topic;
use parlance::store::{Arrival, Mark, Stamp};
use store_support::*;
use tokio::time::timeout;

#[cfg(test)]
impl Node {
    /// The next arrivals, one word each: `user status`, `+room user`, `-room user`, `user*nodes`.
    async fn words(&mut self, count: usize) -> Vec<String> {
        let mut words = Vec::new();
        while words.len() < count {
            let mail = timeout(PATIENCE, self.mail.recv()).await.expect("it is told").unwrap();
            words.extend(mail.into_iter().map(word));
        }
        words
    }

    async fn hear(&self, room: &RoomId, user: &UserId) {
        for topic in [Topic::Room(room.clone()), Topic::User(user.clone())] {
            self.store.join(&topic, Stamp(1)).await.unwrap().expect("it exists");
        }
    }
}

#[cfg(test)]
fn word(arrival: Arrival) -> String {
    match arrival {
        Arrival::Presence(Presence { user, status, .. }) => format!("{user} {}", status.as_str()),
        Arrival::Signal(Topic::Room(room), Signal::Entered { user }) => {
            format!("+{room} {}", user.id)
        }
        Arrival::Signal(Topic::Room(room), Signal::Left { user }) => format!("-{room} {user}"),
        Arrival::Signal(Topic::User(user), Signal::Spread { nodes }) => format!("{user}*{nodes}"),
        other @ (Arrival::Entry(_) | Arrival::Signal(..)) => panic!("unexpected: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_node_hears_who_comes_and_that_a_killed_node_takes_its_users_along() {
    let redis = Redis::start().await;
    let (one, mut two) = (Node::start(&redis).await, Node::start(&redis).await);
    let (room, alice) = (room("conv-1"), user("alice"));
    one.store.create(&room, Visibility::Public).await.unwrap();
    two.hear(&room, &alice).await;

    one.store.up(std::slice::from_ref(&alice)).await.unwrap();
    one.store.enter(&[(room.clone(), participant("alice"))]).await.unwrap();
    one.store.set_status(&alice, Status::Busy).await.unwrap();
    let heard = two.words(4).await;
    assert_eq!(heard, ["alice online", "alice*1", "+conv-1 alice", "alice busy"]);
    let joined = two.store.join(&Topic::Room(room.clone()), Stamp(2)).await.unwrap().unwrap();
    assert_eq!(joined.roster, [participant("alice")]);
    let seen = two.store.presence(&[user("bob"), alice.clone()]).await.unwrap();
    assert_eq!(
        seen.iter().map(|it| it.status).collect::<Vec<_>>(),
        [Status::Offline, Status::Busy]
    );

    drop(one);
    assert_eq!(two.words(2).await, ["alice offline", "-conv-1 alice"]);
    let seen = two.store.presence(std::slice::from_ref(&alice)).await.unwrap();
    assert_eq!(seen[0].status, Status::Offline);
    let joined = two.store.join(&Topic::Room(room), Stamp(3)).await.unwrap().unwrap();
    assert!(joined.roster.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_and_limits_count_for_all_nodes() {
    let redis = Redis::start().await;
    let (one, two) = (Node::start(&redis).await, Node::start(&redis).await);
    let (room, alice) = (room("conv-1"), user("alice"));
    let to = |seq| Position::new(1_700_000_000_000, seq);
    for mark in [Mark::Read, Mark::Delivered] {
        let crossed = one.store.mark(&room, &alice, mark, to(3)).await.unwrap().unwrap();
        assert_eq!((crossed.from, crossed.to), (Position::new(0, 0), to(3)));
        assert_eq!(two.store.mark(&room, &alice, mark, to(2)).await.unwrap(), None);
        let crossed = two.store.mark(&room, &alice, mark, to(4)).await.unwrap().unwrap();
        assert_eq!((crossed.from, crossed.to), (to(3), to(4)));
    }
    // A delivered mark is the room's, a read mark each user's.
    let bob = user("bob");
    assert_eq!(two.store.mark(&room, &bob, Mark::Delivered, to(4)).await.unwrap(), None);
    assert!(two.store.mark(&room, &bob, Mark::Read, to(4)).await.unwrap().is_some());

    let limit = Limit { times: 2, per: Duration::from_secs(60) };
    assert_eq!(one.store.limit(&alice, "send", limit).await.unwrap(), None);
    assert_eq!(two.store.limit(&alice, "send", limit).await.unwrap(), None);
    let wait = one.store.limit(&alice, "send", limit).await.unwrap().unwrap();
    assert!(Duration::from_secs(40) < wait && wait <= limit.per, "{wait:?}");
}
