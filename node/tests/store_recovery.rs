//! What connections leave behind, over a real Redis: who may write to it, who may take it.

#[cfg(test)]
#[expect(dead_code, reason = "each test binary uses its part")]
mod store_support;

use std::time::Duration;

use parlance::domain::event::Event;
use parlance::domain::id::{ConnId, MessageId, UserId};
use parlance::domain::position::Position;
use parlance::domain::recovery::{Kept, KeptRoom, Pid};
use parlance::domain::room::Visibility;
use parlance::domain::time::Timestamp;
use parlance::store::recovery::{Keeping, Owner, Taken};
use parlance::store::{Append, Redaction};
use store_support::*;
use tokio::time::sleep;

fn kept(seq: u64) -> Kept {
    let place = Position::new(1, seq);
    let dialect = "conversation".to_owned();
    let room = KeptRoom { room: room("a"), dialect, is_seated: true, place, is_behind: false };
    Kept {
        namespace: "/".to_owned(),
        origin: ConnId(1),
        rooms: vec![room],
        is_listed: false,
        lists: None,
        stats: None,
        written: None,
    }
}

fn owner(node: &Node, conn: u64) -> Owner {
    Owner { node: *node.store.life().borrow(), conn: ConnId(conn) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_has_one_owner_who_gives_it_up_or_loses_it() {
    let redis = Redis::start().await;
    let (one, two) = (Node::start(&redis).await, Node::start(&redis).await);
    let (ann, eve) = (UserId::parse("ann").unwrap(), UserId::parse("eve").unwrap());
    let (first, second, third) = (owner(&one, 1), owner(&two, 1), owner(&two, 2));
    let pid = Pid::random();
    let take = async |who: Owner, user: &UserId, by_force| {
        two.store.take_connection(pid, (who, user), by_force).await.unwrap()
    };
    assert_eq!(take(second, &ann, true).await, Taken::Nothing);
    let open = one.store.keep_connection(pid, (first, &ann), Keeping::Open(&kept(1))).await;
    assert!(open.unwrap());
    assert_eq!(take(second, &ann, false).await, Taken::Held);
    assert_eq!(take(second, &eve, true).await, Taken::Nothing);

    // It is over: whoever comes first has it, and its former owner writes no more.
    let over = one.store.keep_connection(pid, (first, &ann), Keeping::Over(&kept(2))).await;
    assert!(over.unwrap());
    assert_eq!(take(second, &ann, false).await, Taken::Kept(kept(2)));
    assert_eq!(take(second, &ann, false).await, Taken::Kept(kept(2)), "its own, once more");
    assert_eq!(take(third, &ann, false).await, Taken::Held);
    for keeping in [Keeping::Open(&kept(3)), Keeping::Over(&kept(3)), Keeping::Nothing] {
        let late = one.store.keep_connection(pid, (first, &ann), keeping).await;
        assert!(!late.unwrap(), "{keeping:?}");
    }
    assert_eq!(take(third, &ann, true).await, Taken::Kept(kept(2)));

    let gone = two.store.keep_connection(pid, (third, &ann), Keeping::Nothing).await;
    assert!(gone.unwrap());
    assert_eq!(take(second, &ann, true).await, Taken::Nothing);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_node_held_is_taken_at_once() {
    let redis = Redis::start().await;
    let (one, two) = (Node::start(&redis).await, Node::start(&redis).await);
    let ann = UserId::parse("ann").unwrap();
    let (first, second, pid) = (owner(&one, 1), owner(&two, 1), Pid::random());
    let open = one.store.keep_connection(pid, (first, &ann), Keeping::Open(&kept(1))).await;
    assert!(open.unwrap());
    one.lifecycle.stop_hard();
    redis.kill_life(first.node).await;
    let taken = two.store.take_connection(pid, (second, &ann), false).await;
    assert_eq!(taken.unwrap(), Taken::Kept(kept(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_entry_by_a_time_is_found_also_beside_redacted_ones() {
    let redis = Redis::start().await;
    let node = Node::start(&redis).await;
    let room = room("conv-1");
    node.store.create(&room, Visibility::Public).await.unwrap();
    let before = async |at: u64| node.store.before(&room, Timestamp(at)).await.unwrap();
    assert_eq!(before(u64::from(u32::MAX)).await, None);

    let mut stored = Vec::new();
    for number in 0..9 {
        let text = number.to_string();
        stored.push(node.store.append(message(&room, "alice", None, &text)).await.unwrap());
        sleep(Duration::from_millis(2)).await; // Redis' clock counts milliseconds
    }
    for one in &stored {
        assert_eq!(before(one.at.0).await, Some(one.position));
    }
    assert_eq!(before(stored[0].at.0 - 1).await, None);
    assert_eq!(before(stored[8].at.0 + 9_000).await, Some(stored[8].position));

    // Entries that are no more stand for nothing; the place is then an earlier one.
    for at in [0, 4, 5] {
        let position = stored[at].position;
        let message = MessageId::new(&room, position);
        let event = Event::MessageDeleted { message };
        let entry = node.store.entry(&room, position).await.unwrap().unwrap();
        let left = entry.event.redacted(&room, position, &event).unwrap();
        let redacts = Some(Redaction { message, left });
        let append = Append { redacts, ..Append::of_application(&room, event) };
        node.store.append(append).await.unwrap();
    }
    let expected = [None, Some(1), Some(2), Some(3), Some(3), Some(3), Some(6), Some(7), Some(8)];
    for (one, expected) in stored.iter().zip(expected) {
        assert_eq!(before(one.at.0).await, expected.map(|it| stored[it].position));
    }
}
