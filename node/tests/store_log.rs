//! Rooms' logs over a real Redis: stored once, dense, told to every node that hears the room.

#[expect(dead_code, reason = "each test binary uses its part")]
mod store_support;

use parlance::domain::event::Event;
use parlance::domain::position::Position;
use parlance::domain::refusal::{Outcome, Refusal};
use parlance::domain::room::{RoomState, Visibility};
use parlance::domain::topic::Topic;
use parlance::store::{AppendError, Page, Stamp};
use store_support::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_message_reaches_every_node_that_hears_the_room_once() {
    let redis = Redis::start().await;
    let (mut one, mut two) = (Node::start(&redis).await, Node::start(&redis).await);
    let room = room("conv-1");
    assert!(one.store.join(&Topic::Room(room.clone()), Stamp(1)).await.unwrap().is_none());
    let epoch = one.store.create(&room, Visibility::Public).await.unwrap();
    assert_eq!(one.store.create(&room, Visibility::Private).await.unwrap(), epoch);
    let record = two.store.room(&room).await.unwrap().unwrap();
    assert_eq!((record.visibility, record.state), (Visibility::Public, RoomState::Open));

    for node in [&one, &two] {
        let joined = node.store.join(&Topic::Room(room.clone()), Stamp(1)).await.unwrap().unwrap();
        assert_eq!(joined.head.position, Position { epoch, seq: Position::new(0, 0).seq });
        assert!(joined.newest.is_empty() && joined.roster.is_empty());
    }
    let appended = one.store.append(message(&room, "alice", Some("c-1"), "hi")).await.unwrap();
    assert_eq!((appended.position.epoch, appended.position.seq.0), (epoch, 1));
    assert_eq!((appended.nth, appended.duplicate), (1, false));
    for node in [&mut one, &mut two] {
        let entries = node.entries(1).await;
        assert_eq!((entries[0].position, text(&entries[0])), (appended.position, "hi"));
        assert_eq!(entries[0].at, appended.at);
    }
    let joined = two.store.join(&Topic::Room(room.clone()), Stamp(2)).await.unwrap().unwrap();
    assert_eq!((joined.head.position, joined.head.nth), (appended.position, 1));
    assert_eq!(text(&joined.newest[0]), "hi");
    let found = two.store.entry(&room, appended.position).await.unwrap().unwrap();
    assert_eq!(text(&found), "hi");
    let other_epoch = Position::new(epoch.0 + 1, 1);
    assert!(two.store.entry(&room, other_epoch).await.unwrap().is_none());
}
