//! Rooms' logs over a real Redis: stored once, dense, told to every node that hears the room.

#[cfg(test)]
#[expect(dead_code, reason = "each test binary uses its part")]
mod store_support;

use fred::types::Value;
use parlance::domain::event::{Event, SharedEntry};
use parlance::domain::id::MessageId;
use parlance::domain::position::Position;
use parlance::domain::refusal::{Outcome, Refusal};
use parlance::domain::room::{RoomState, Visibility};
use parlance::domain::signal::Signal;
use parlance::domain::topic::Topic;
use parlance::store::{Append, AppendError, Counted, Page, Redaction, Stamp};
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
    assert_eq!((record.room.visibility, record.room.state), (Visibility::Public, RoomState::Open));

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

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_send_is_stored_once_whatever_happened_since() {
    let redis = Redis::start().await;
    let (mut one, two) = (Node::start(&redis).await, Node::start(&redis).await);
    let room = room("conv-1");
    two.store.create(&room, Visibility::Public).await.unwrap();
    one.store.join(&Topic::Room(room.clone()), Stamp(1)).await.unwrap().unwrap();
    let send = || message(&room, "alice", Some("c-1"), "hi");

    // The publication is lost: for a moment nobody seems to hear the room.
    let meta = redis.key_of(&room, "m").await;
    let nodes: String = redis.ask(&format!("HGET {meta} nodes")).await;
    let _: i64 = redis.ask(&format!("HDEL {meta} nodes")).await;
    let first = two.store.append(send()).await.unwrap();
    let _: i64 = redis.ask(&format!("HSET {meta} nodes {nodes}")).await;
    assert!(one.mail.try_recv().is_err());

    let again = two.store.append(send()).await.unwrap();
    assert_eq!((again.position, again.nth, again.at), (first.position, first.nth, first.at));
    assert!(again.duplicate && !first.duplicate);
    assert_eq!(one.entries(1).await[0].position, first.position);
    // Of somebody else the same name is another message.
    let bobs = one.store.append(message(&room, "bob", Some("c-1"), "hi")).await.unwrap();
    assert_eq!(bobs.position.seq.0, 2);

    let bar = meta.strip_suffix(":m").unwrap().to_owned() + ":bar";
    let _: i64 = redis.ask(&format!("HSET {bar} alice 9999999999999")).await;
    assert_eq!(one.store.append(send()).await.unwrap().position, first.position);
    let refused = one.store.append(message(&room, "alice", Some("c-2"), "hi")).await;
    assert!(matches!(refused, Err(AppendError::Refused(Refusal::AccessDenied))), "{refused:?}");
    let _: i64 = redis.ask(&format!("HSET {bar} alice 1")).await;
    assert!(one.store.append(message(&room, "alice", None, "hi")).await.is_ok());

    let close = Event::RoomClosed { by: None, reason: None };
    one.store.append(event(&room, close)).await.unwrap();
    assert_eq!(two.store.room(&room).await.unwrap().unwrap().room.state, RoomState::Closed);
    assert_eq!(two.store.append(send()).await.unwrap().position, first.position);
    let refused = two.store.append(message(&room, "bob", Some("c-2"), "hi")).await;
    assert!(matches!(refused, Err(AppendError::Refused(Refusal::RoomClosed))), "{refused:?}");

    one.store.append(event(&room, Event::RoomDeleted)).await.unwrap();
    assert_eq!(two.store.room(&room).await.unwrap(), None);
    assert!(two.store.join(&Topic::Room(room.clone()), Stamp(2)).await.unwrap().is_none());
    assert_eq!(one.store.resync(&[Topic::Room(room.clone())]).await.unwrap(), [None]);
    let refused = two.store.append(message(&room, "bob", Some("c-3"), "hi")).await;
    assert!(matches!(refused, Err(AppendError::Refused(Refusal::RoomNotFound))), "{refused:?}");
    let epoch = two.store.create(&room, Visibility::Private).await.unwrap();
    assert!(first.position.epoch < epoch);
    let anew = two.store.append(send()).await.unwrap();
    assert_eq!((anew.position, anew.duplicate), (Position::new(epoch.0, 1), false));
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_dense_under_many_senders_on_two_nodes() {
    const SENDERS: u64 = 200;
    const EACH: u64 = 5;
    let redis = Redis::start().await;
    let (mut one, two) = (Node::start(&redis).await, Node::start(&redis).await);
    let room = room("conv-1");
    one.store.create(&room, Visibility::Public).await.unwrap();
    one.store.join(&Topic::Room(room.clone()), Stamp(1)).await.unwrap().unwrap();
    let senders = (0..SENDERS).map(|n| {
        let store = if n % 2 == 0 { one.store.clone() } else { two.store.clone() };
        let room = room.clone();
        async move {
            let mut seqs = Vec::new();
            for i in 0..EACH {
                let send = message(&room, &format!("u{n}"), Some(&format!("{i}")), "x");
                seqs.push(store.append(send).await.unwrap().position.seq.0);
            }
            assert!(seqs.is_sorted(), "{seqs:?}");
            seqs
        }
    });
    let mut seqs = futures_util::future::join_all(senders).await.concat();
    seqs.sort_unstable();
    let dense: Vec<u64> = (1..=SENDERS * EACH).collect();
    assert_eq!(seqs, dense);
    let heard = one.entries(dense.len()).await;
    assert_eq!(heard.iter().map(|it| it.position.seq.0).collect::<Vec<_>>(), dense);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_fails_ends_alone() {
    let redis = Redis::start().await;
    let mut node = Node::start(&redis).await;
    let rooms = ["good-1", "bad", "good-2", "odd", "good-3"].map(room);
    for room in &rooms {
        node.store.create(room, Visibility::Public).await.unwrap();
        node.store.join(&Topic::Room(room.clone()), Stamp(1)).await.unwrap().unwrap();
    }
    let bad = redis.key_of(&rooms[1], "m").await.replace(":m", ":s");
    let odd = redis.key_of(&rooms[3], "m").await.replace(":m", ":i0");
    let _: String = redis.ask(&format!("SET {bad} wrong")).await;
    let _: String = redis.ask(&format!("SET {odd} wrong")).await;

    // While Redis sleeps all of them come to wait, and then go in one batch.
    redis.signal(rustix::process::Signal::STOP);
    let sends = rooms.iter().map(|room| node.store.append(message(room, "alice", None, "hi")));
    let sends = futures_util::future::join_all(sends);
    let resume = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        redis.signal(rustix::process::Signal::CONT);
    };
    let (results, ()) = tokio::join!(sends, resume);
    let stored: Vec<bool> = results.iter().map(Result::is_ok).collect();
    assert_eq!(stored, [true, false, true, false, true], "{results:?}");
    let Err(AppendError::Failed(error)) = &results[1] else { panic!("{results:?}") };
    assert_eq!(error.outcome, Outcome::Unknown);
    assert!(error.message.starts_with("WRONGTYPE"), "{error}");

    let heard: Vec<_> = node.entries(3).await.iter().map(|it| it.room.clone()).collect();
    assert_eq!(heard, [rooms[0].clone(), rooms[2].clone(), rooms[4].clone()]);
    // The number that came to nothing is not missing afterwards.
    let _: i64 = redis.ask(&format!("DEL {bad}")).await;
    let cured = node.store.append(message(&rooms[1], "alice", None, "hi")).await.unwrap();
    assert_eq!((cured.position.seq.0, cured.nth), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_follows_a_place_or_says_that_it_cannot() {
    let redis = Redis::start_with(&["--stream-node-max-entries", "10"]).await;
    let mut config = redis.config();
    config.history.messages_per_room = 100;
    let node = Node::start_with(&config).await;
    let room = room("conv-1");
    let epoch = node.store.create(&room, Visibility::Public).await.unwrap();
    let at = |seq| Position::new(epoch.0, seq);
    let after = async |position| match node.store.history(&room, position).await.unwrap() {
        Page::After(entries) => Ok(entries.iter().map(|it| it.position.seq.0).collect::<Vec<_>>()),
        Page::Reset { head, newest } => Err((head.position.seq.0, newest.len())),
    };
    assert_eq!(after(at(0)).await, Ok(vec![]));
    for n in 1..=90 {
        node.store.append(message(&room, "alice", None, &n.to_string())).await.unwrap();
    }
    assert_eq!(after(at(0)).await, Ok((1..=64).collect()));
    assert_eq!(after(at(64)).await, Ok((65..=90).collect()));
    assert_eq!(after(at(90)).await, Ok(vec![]));
    assert_eq!(after(at(91)).await, Err((90, 64)), "a place that is not written yet");
    assert_eq!(after(Position::new(epoch.0 - 1, 50)).await, Err((90, 64)), "another epoch");
    let before_all = Position::new(epoch.0 - 1, 0);
    assert_eq!(after(before_all).await, Ok((1..=64).collect()), "nothing before it can be lost");
    for n in 91..=130 {
        node.store.append(message(&room, "alice", None, &n.to_string())).await.unwrap();
    }
    assert_eq!(after(at(5)).await, Err((130, 64)), "trimmed");
    assert_eq!(after(at(0)).await, Err((130, 64)), "trimmed");
    assert_eq!(after(at(100)).await, Ok((101..=130).collect()));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_batches_are_bounded_in_bytes() {
    let redis = Redis::start().await;
    let mut node = Node::start(&redis).await;
    let room = room("conv-1");
    let epoch = node.store.create(&room, Visibility::Public).await.unwrap();
    node.store.join(&Topic::Room(room.clone()), Stamp(1)).await.unwrap().unwrap();
    let long = "x".repeat(100_000);
    let sends = (0..10).map(|_| node.store.append(message(&room, "alice", None, &long)));
    for result in futures_util::future::join_all(sends).await {
        result.unwrap();
    }
    let longest = "x".repeat(1_000_000);
    node.store.append(message(&room, "alice", None, &longest)).await.unwrap();
    assert_eq!(text(&node.entries(11).await[10]).len(), 1_000_000);

    let sizes = [(0, vec![1, 2]), (2, vec![3, 4]), (9, vec![10]), (10, vec![11])];
    for (after, expected) in sizes {
        let after = Position::new(epoch.0, after);
        let Page::After(page) = node.store.history(&room, after).await.unwrap() else { panic!() };
        assert_eq!(page.iter().map(|it| it.position.seq.0).collect::<Vec<_>>(), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn interest_goes_by_stamps_and_signals_by_interest() {
    let redis = Redis::start().await;
    let (mut one, two) = (Node::start(&redis).await, Node::start(&redis).await);
    let room = room("conv-1");
    one.store.create(&room, Visibility::Public).await.unwrap();
    let topics = [Topic::Room(room.clone()), Topic::User(user("alice"))];
    for topic in &topics {
        let joined = one.store.join(topic, Stamp(5)).await.unwrap().unwrap();
        assert_eq!(joined.head.position.seq.0, 0);
    }
    let spread = |nodes| Signal::Spread { nodes };
    // A leave that comes late does nothing.
    one.store.leave(&topics.clone().map(|topic| (topic, Stamp(4)))).await.unwrap();
    for topic in &topics {
        two.store.signal(topic.clone(), spread(1));
        assert_eq!(one.signals(1).await, [(topic.clone(), spread(1))]);
    }
    one.store.leave(&topics.clone().map(|topic| (topic, Stamp(5)))).await.unwrap();
    two.store.signal(topics[0].clone(), spread(2));
    two.store.signal(topics[1].clone(), spread(2));
    let stamped = topics.clone().map(|topic| (topic, Stamp(6)));
    let heads = one.store.reassert(&stamped).await.unwrap();
    assert_eq!(heads.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true]);
    two.store.signal(topics[1].clone(), spread(3));
    assert_eq!(one.signals(1).await, [(topics[1].clone(), spread(3))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_the_days_kept_is_read_no_more() {
    const AGE_FIRST_TWO: &str = "
        local entries = redis.call('XRANGE', KEYS[1], '-', '+')
        redis.call('DEL', KEYS[1])
        for i, entry in ipairs(entries) do
          local rest, header = cmsgpack.unpack_one(entry[2][2])
          if i <= 2 then header[5] = header[5] - 91 * 86400 * 1000 end
          local body = string.sub(entry[2][2], rest + 1)
          redis.call('XADD', KEYS[1], entry[1], 'd', cmsgpack.pack(header) .. body)
        end";
    let redis = Redis::start().await;
    let node = Node::start(&redis).await;
    let room = room("conv-1");
    let epoch = node.store.create(&room, Visibility::Public).await.unwrap();
    for n in 1..=4 {
        node.store.append(message(&room, "alice", None, &n.to_string())).await.unwrap();
    }
    let log = redis.key_of(&room, "s").await;
    let words = [AGE_FIRST_TWO, "1", &log].map(|word| word.as_bytes().to_vec());
    redis.ask_words("EVAL", words.to_vec()).await.unwrap();

    let reset = node.store.history(&room, Position::new(epoch.0, 1)).await.unwrap();
    let Page::Reset { newest, .. } = reset else { panic!("{reset:?}") };
    assert_eq!(newest.iter().map(text).collect::<Vec<_>>(), ["3", "4"]);
    let after = node.store.history(&room, Position::new(epoch.0, 2)).await.unwrap();
    let Page::After(entries) = after else { panic!("{after:?}") };
    assert_eq!(entries.iter().map(text).collect::<Vec<_>>(), ["3", "4"]);
    let joined = node.store.join(&Topic::Room(room), Stamp(1)).await.unwrap().unwrap();
    assert_eq!(joined.newest.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redacted_text_is_gone_and_leaves_no_hole() {
    let redis = Redis::start().await;
    let node = Node::start(&redis).await;
    let room = room("conv-1");
    node.store.create(&room, Visibility::Public).await.unwrap();
    let mut places = Vec::new();
    for text in ["first secret", "second", "third"] {
        places.push(node.store.append(message(&room, "alice", None, text)).await.unwrap().position);
    }
    let redact = async |at: Position, text: Option<&str>| {
        let message = MessageId::new(&room, at);
        let entry = node.store.entry(&room, at).await;
        let event = match text {
            Some(text) => Event::MessageEdited { message, text: text.to_owned() },
            None => Event::MessageDeleted { message },
        };
        let left = entry.unwrap().unwrap().event.redacted(&room, at, &event).unwrap();
        let redacts = Some(Redaction { message, left });
        let append = Append { redacts, ..Append::of_application(&room, event) };
        node.store.append(append).await.unwrap()
    };
    let all_of = async || -> Vec<String> {
        let before = Position::new(0, 0);
        let Page::After(entries) = node.store.history(&room, before).await.unwrap() else {
            panic!("the log leads on from its beginning")
        };
        assert!(entries.iter().zip(1..).all(|(it, seq)| it.position.seq.0 == seq), "a hole");
        let said = |it: &SharedEntry| match &it.event {
            Event::MessagePosted(message) => message.text.clone(),
            Event::MessageEdited { text, .. } => format!("now {text}"),
            Event::MessageDeleted { .. } => "deleted".to_owned(),
            other @ (Event::RoomUpdated { .. }
            | Event::RoomClosed { .. }
            | Event::RoomReopened
            | Event::RoomDeleted
            | Event::AccessChanged { .. }
            | Event::Erased) => format!("{other:?}"),
        };
        entries.iter().map(said).collect()
    };
    redact(places[0], Some("first edit")).await;
    assert_eq!(all_of().await, ["first edit", "second", "third", "now first edit"]);
    redact(places[0], Some("last edit")).await;
    assert_eq!(all_of().await, ["last edit", "second", "third", "Erased", "now last edit"]);
    redact(places[2], None).await;
    redact(places[0], None).await;
    let expected = ["Erased", "second", "Erased", "Erased", "Erased", "deleted", "deleted"];
    assert_eq!(all_of().await, expected);

    // A place that was redacted is one to go on from, and pages pass over what is gone.
    let page = node.store.history(&room, places[2]).await.unwrap();
    assert!(matches!(page, Page::After(entries) if entries.len() == 4));
    let (total, messages) = node.store.messages(&room, (10, 0), Counted::All).await.unwrap();
    assert_eq!((total, messages.len(), text(&messages[0])), (3, 1, "second"));
    let newest = node.store.newest(&room, places[2], 3).await.unwrap();
    assert_eq!(newest.iter().map(|it| it.position).collect::<Vec<_>>(), places);

    let log = redis.key_of(&room, "s").await;
    let stored: Value = redis.ask(&format!("XRANGE {log} - +")).await;
    let beside: Value = redis.ask(&format!("HVALS {}x", log.trim_end_matches('s'))).await;
    let left = format!("{stored:?} {beside:?}");
    for gone in ["secret", "first edit", "last edit", "third"] {
        assert!(!left.contains(gone), "{gone} is still there");
    }
}
