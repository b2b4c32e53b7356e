//! What becomes of a store whose Redis is slow, full, flushed or half broken.

#[cfg(test)]
#[expect(dead_code, reason = "each test binary uses its part")]
mod store_support;

use std::time::Duration;

use parlance::domain::refusal::{Outcome, Refusal};
use parlance::domain::room::Visibility;
use parlance::domain::topic::Topic;
use parlance::lifecycle::Lifecycle;
use parlance::store::config::Config;
use parlance::store::{AppendError, Arrivals, Health, Stamp, connect};
use rustix::process::Signal;
use store_support::proxy::Proxy;
use store_support::*;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_is_away_nobody_dies_and_sends_are_unknown_after_three_seconds() {
    let redis = Redis::start().await;
    let (mut one, two) = (Node::start(&redis).await, Node::start(&redis).await);
    let room = room("conv-1");
    one.store.create(&room, Visibility::Public).await.unwrap();
    one.store.join(&Topic::Room(room.clone()), Stamp(1)).await.unwrap().unwrap();

    redis.signal(Signal::STOP);
    let stopped = Instant::now();
    let unanswered = message(&room, "alice", Some("c-1"), "hi");
    let result = one.store.append(unanswered.clone()).await;
    let Err(AppendError::Failed(error)) = &result else { panic!("{result:?}") };
    assert_eq!(error.outcome, Outcome::Unknown);
    let waited = stopped.elapsed();
    assert!((Duration::from_millis(2900)..Duration::from_millis(3500)).contains(&waited));
    one.is(Health::Degraded).await;
    tokio::time::sleep_until(stopped + Duration::from_secs(10)).await;
    redis.signal(Signal::CONT);

    one.is(Health::Ready).await;
    two.is(Health::Ready).await;
    let live: Vec<String> = redis.ask("HVALS parlance:{18}:live").await;
    assert!(live.iter().all(|row| !row.contains("dead")), "{live:?}");
    assert_eq!(two.store.figures().nodes, 2);
    let again = one.store.append(unanswered).await.unwrap();
    assert_eq!(again.position.seq.0, 1);
    assert_eq!(one.entries(1).await[0].position, again.position);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_call_of_an_earlier_life_does_nothing() {
    let redis = Redis::start().await;
    let node = Node::start(&redis).await;
    let room = room("conv-1");
    node.store.create(&room, Visibility::Public).await.unwrap();
    let mut monitor = Monitor::start(&redis).await;
    node.store.append(message(&room, "alice", None, "early")).await.unwrap();
    let mut late = monitor.call_with("MessagePosted").await;
    let before = *node.store.life().borrow();

    redis.kill_life(before).await;
    let after = node.life_after(before).await;
    assert_eq!(after.index, before.index);
    node.store.append(message(&room, "alice", None, "of the new life")).await.unwrap();

    let words = late.split_off(1);
    let error = redis.ask_words("EVALSHA", words).await.unwrap_err();
    assert!(error.details().starts_with("STALE"), "{error}");
    let length: i64 = redis.ask(&format!("XLEN {}", redis.key_of(&room, "s").await)).await;
    assert_eq!(length, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_lease_was_lost_comes_back_with_a_higher_life() {
    let redis = Redis::start().await;
    let (one, two) = (Node::start(&redis).await, Node::start(&redis).await);
    let room = room("conv-1");
    two.store.create(&room, Visibility::Public).await.unwrap();
    let before = *one.store.life().borrow();
    let _: i64 = redis.ask(&format!("HDEL parlance:{{18}}:live {before}")).await;
    // Refused for the old life, sent again for the new one: the sender notices nothing.
    let appended = one.store.append(message(&room, "alice", None, "hi")).await.unwrap();
    assert_eq!((appended.position.seq.0, appended.duplicate), (1, false));
    let after = one.life_after(before).await;
    assert_eq!(after.index, before.index);
    assert!(before.incarnation < after.incarnation);
    assert_ne!(two.store.life().borrow().index, after.index);
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_data_begins_a_new_generation_with_new_epochs() {
    let redis = Redis::start().await;
    let (mut one, two) = (Node::start(&redis).await, Node::start(&redis).await);
    let room = room("conv-1");
    let topic = Topic::Room(room.clone());
    one.store.create(&room, Visibility::Public).await.unwrap();
    one.store.join(&topic, Stamp(1)).await.unwrap().unwrap();
    let lost = two.store.append(message(&room, "alice", None, "lost")).await.unwrap();
    one.entries(1).await;
    let (life_one, life_two) = (*one.store.life().borrow(), *two.store.life().borrow());

    let _: String = redis.ask("FLUSHALL").await;
    let indexes = [one.life_after(life_one).await.index, two.life_after(life_two).await.index];
    assert_eq!(indexes, [life_one.index, life_two.index], "each keeps its index");
    let heads = one.store.reassert(&[(topic.clone(), Stamp(2))]).await.unwrap();
    let head = heads[0].unwrap();
    assert!(lost.position.epoch < head.position.epoch);
    let appended = two.store.append(message(&room, "alice", None, "new")).await.unwrap();
    assert_eq!((appended.position.epoch, appended.position.seq.0), (head.position.epoch, 1));
    assert_eq!(text(&one.entries(1).await[0]), "new");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_that_keeps_the_data_keeps_the_places() {
    let redis = Redis::start().await;
    let node = Node::start(&redis).await;
    let room = room("conv-1");
    node.store.create(&room, Visibility::Public).await.unwrap();
    let before = node.store.append(message(&room, "alice", None, "1")).await.unwrap();
    let life = *node.store.life().borrow();
    // Another replication id is what a restart or a promotion shows.
    let _: i64 = redis.ask("HSET parlance:{18}:gen replid another").await;
    node.life_after(life).await;
    let after = node.store.append(message(&room, "alice", None, "2")).await.unwrap();
    assert_eq!((after.position.seq.0, after.nth), (2, 2));
    assert!(before.position.epoch < after.position.epoch);
    let page = node.store.history(&room, before.position).await.unwrap();
    let parlance::store::Page::After(page) = page else { panic!("{page:?}") };
    assert_eq!(page.iter().map(|it| it.position).collect::<Vec<_>>(), [after.position]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_that_was_cut_off_or_missed_a_frame_repairs() {
    let redis = Redis::start().await;
    let mut node = Node::start(&redis).await;
    let index = node.store.life().borrow().index;
    let before = *node.resync.borrow();
    let _: i64 = redis.ask(&format!("HINCRBY parlance:{{18}}:ic {index} 1")).await;
    node.resynced(before).await;

    let before = *node.resync.borrow();
    let _: i64 = redis.ask("CLIENT KILL TYPE pubsub").await;
    let _: i64 = redis.ask(&format!("HINCRBY parlance:{{18}}:ic {index} 1")).await;
    node.resynced(before).await;
    node.is(Health::Ready).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deaf_node_finds_out_and_hears_again() {
    let redis = Redis::start().await;
    let proxy = Proxy::start(&redis.socket(), redis.socket().with_extension("proxy"));
    let config = redis.config_with(&proxy.socket.display().to_string());
    let mut node = Node::start_with(&config).await;
    let room = room("conv-1");
    node.store.create(&room, Visibility::Public).await.unwrap();
    node.store.join(&Topic::Room(room.clone()), Stamp(1)).await.unwrap().unwrap();

    let (before, deaf_since) = (*node.resync.borrow(), Instant::now());
    assert_eq!(proxy.silence_subscribers(), 1);
    let missed = node.store.append(message(&room, "alice", None, "missed")).await.unwrap();
    node.resynced(before).await;
    node.is(Health::Ready).await;
    assert!(deaf_since.elapsed() < Duration::from_secs(6), "{:?}", deaf_since.elapsed());
    let heads = node.store.resync(&[Topic::Room(room.clone())]).await.unwrap();
    assert_eq!(heads[0].unwrap().position, missed.position);
    let heard = node.store.append(message(&room, "alice", None, "heard")).await.unwrap();
    assert_eq!(node.entries(1).await[0].position, heard.position);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_redis_refuses_messages_while_beats_go_on() {
    let redis = Redis::start().await;
    let mut node = Node::start(&redis).await;
    let room = room("conv-1");
    let topic = Topic::Room(room.clone());
    node.store.create(&room, Visibility::Public).await.unwrap();
    let _: String = redis.ask("CONFIG SET maxmemory 1").await;
    let send = message(&room, "alice", Some("c-1"), "hi");
    let result = node.store.append(send.clone()).await;
    assert!(matches!(result, Err(AppendError::Refused(Refusal::StorageFull))), "{result:?}");
    node.store.join(&topic, Stamp(1)).await.unwrap().unwrap();
    node.store.reassert(&[(topic, Stamp(2))]).await.unwrap();
    // Longer than it takes to notice that beats do not come back.
    let mut health = node.store.health();
    let degraded = health.wait_for(|health| *health == Health::Degraded);
    assert!(timeout(Duration::from_millis(2500), degraded).await.is_err());
    let _: String = redis.ask("CONFIG SET maxmemory 0").await;
    let stored = node.store.append(send).await.unwrap();
    assert_eq!((stored.position.seq.0, stored.duplicate), (1, false));
    assert_eq!(node.entries(1).await[0].position, stored.position);
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_summed_and_a_retired_node_leaves_them() {
    let redis = Redis::start().await;
    let (one, two) = (Node::start(&redis).await, Node::start(&redis).await);
    one.store.report(3, 1);
    two.store.report(4, 2);
    let figures = async |wanted: (u64, u64, u64)| {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let found = one.store.figures();
            if (found.nodes, found.connections, found.rooms) == wanted {
                return;
            }
            assert!(Instant::now() < give_up, "{found:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    figures((2, 7, 3)).await;
    let retired = *two.store.life().borrow();
    two.store.retire().await;
    let row: String = redis.ask(&format!("HGET parlance:{{18}}:live {retired}")).await;
    let time: Vec<u64> = redis.ask("TIME").await;
    let deadline: u64 = row.split(' ').next().unwrap().parse().unwrap();
    assert!(deadline <= time[0] * 1000 + time[1] / 1000 + 5000, "{row}");
    figures((1, 3, 1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waiting_cannot_cure_is_refused_at_the_start_with_its_cure() {
    let redis = Redis::start().await;
    async fn check(config: &Config, problem: &str) {
        let (keeper, _mail) = mpsc::channel(1);
        let arrivals = Arrivals {
            keepers: [keeper].into(),
            resync: watch::Sender::new(0),
            revoked: mpsc::channel(1).0,
        };
        let connected = connect(config, arrivals, Lifecycle::default());
        let error = timeout(PATIENCE, connected).await.unwrap().unwrap_err();
        assert!(error.message.contains(problem), "{error}");
    }
    check(&Config::default(), "redis.url").await;
    let _: String = redis.ask("ACL SETUSER dull on >pw ~* &* +@all -info").await;
    let socket = redis.socket().display().to_string();
    check(&redis.config_with(&format!("dull:pw@x{socket}")), "+info").await;
    check(&redis.config_with(&format!("dull:wrong@x{socket}")), "refuses this node").await;
    let _: String = redis.ask("CONFIG SET maxmemory-policy allkeys-lru").await;
    check(&redis.config(), "CONFIG SET maxmemory-policy noeviction").await;
    let _: String = redis.ask("CONFIG SET maxmemory-policy noeviction").await;
    let _: i64 = redis.ask("HSET parlance:{ctl}:meta partitions 64 format 1").await;
    check(&redis.config(), "64 partitions").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_at_once_and_sends_nothing_late() {
    let redis = Redis::start().await;
    let node = Node::start(&redis).await;
    let room = room("conv-1");
    node.store.create(&room, Visibility::Public).await.unwrap();
    redis.signal(Signal::STOP);
    let began = Instant::now();
    let sends = (0..5000).map(|_| node.store.append(message(&room, "alice", None, "hi")));
    let results = futures_util::future::join_all(sends).await;
    let busy = |it: &&Result<_, _>| matches!(it, Err(AppendError::Refused(Refusal::Busy { .. })));
    // One batch is on its way and one is being made beside the 4,096 that wait.
    let refused = results.iter().filter(busy).count();
    assert!((5000 - 4096 - 130..=5000 - 4096).contains(&refused), "{refused}");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    redis.signal(Signal::CONT);
    // Nothing of what waited too long is sent any more.
    node.is(Health::Ready).await;
    node.store.append(message(&room, "alice", None, "hi")).await.unwrap();
    let length: usize = redis.ask(&format!("XLEN {}", redis.key_of(&room, "s").await)).await;
    assert!(length <= 130, "{length}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_freed_when_no_life_of_it_is_left() {
    let redis = Redis::start().await;
    let node = Node::start(&redis).await;
    let index = node.store.life().borrow().index;
    for (name, row) in [("gone", "7 1"), ("fresh", "8 9999999999999")] {
        let words = ["parlance:{ctl}:nodes", name, row].map(|word| word.as_bytes().to_vec());
        redis.ask_words("HSET", words.to_vec()).await.unwrap();
    }
    let script = include_str!("../lua/release.lua");
    let words = [script, "1", "parlance:{ctl}:nodes", "60000", &index.to_string()];
    let words = words.map(|word| word.as_bytes().to_vec()).to_vec();
    redis.ask_words("EVAL", words).await.unwrap();
    let rows: Vec<String> = redis.ask("HVALS parlance:{ctl}:nodes").await;
    let mut indexes: Vec<&str> = rows.iter().map(|row| row.split(' ').next().unwrap()).collect();
    indexes.sort_unstable();
    assert_eq!(indexes, [index.to_string().as_str(), "8"]);
    // The next node takes the lowest free one.
    let next = Node::start(&redis).await;
    assert_eq!(next.store.life().borrow().index, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_was_killed_and_came_back_has_lost_nothing_and_is_used_again() {
    let mut redis = Redis::start_with(&["--appendonly", "yes", "--appendfsync", "always"]).await;
    let mut node = Node::start(&redis).await;
    let room = room("conv-1");
    let topic = Topic::Room(room.clone());
    node.store.create(&room, Visibility::Public).await.unwrap();
    node.store.join(&topic, Stamp(1)).await.unwrap().unwrap();
    let send = message(&room, "alice", Some("c-1"), "hi");
    let before = node.store.append(send.clone()).await.unwrap();
    let life = *node.store.life().borrow();
    redis.restart().await;
    // The scripts are gone with the server, and the client has to connect anew.
    let again = node.store.append(send).await.unwrap();
    assert_eq!((again.position, again.duplicate), (before.position, true));
    node.life_after(life).await;
    node.is(Health::Ready).await;
    node.store.reassert(&[(topic, Stamp(2))]).await.unwrap();
    let after = node.store.append(message(&room, "alice", None, "2")).await.unwrap();
    assert_eq!(after.position.seq.0, 2);
    while node.entries(1).await[0].position != after.position {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_reached_by_tcp_with_a_password() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let redis = Redis::start_with(&["--port", &port.to_string()]).await;
    let _: String = redis.ask("ACL SETUSER chat on >pw ~parlance:* &parlance:* +@all").await;
    let node = Node::start_with(&config_of(format!("redis://chat:pw@127.0.0.1:{port}/1"))).await;
    let room = room("conv-1");
    node.store.create(&room, Visibility::Private).await.unwrap();
    node.store.append(message(&room, "alice", None, "hi")).await.unwrap();
    let keys: i64 = redis.ask("DBSIZE").await;
    assert_eq!(keys, 0, "the address names another database");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keeper_that_reads_nothing_holds_nobody_up_and_repairs_later() {
    let redis = Redis::start().await;
    let mut node = Node::start_with_mailbox(&redis.config(), 1).await;
    let room = room("conv-1");
    node.store.create(&room, Visibility::Public).await.unwrap();
    node.store.join(&Topic::Room(room.clone()), Stamp(1)).await.unwrap().unwrap();
    let before = *node.resync.borrow();
    for n in ["1", "2", "3"] {
        node.store.append(message(&room, "alice", None, n)).await.unwrap();
    }
    node.resynced(before).await;
    assert_eq!(text(&node.entries(1).await[0]), "1");
    node.is(Health::Ready).await;
}
