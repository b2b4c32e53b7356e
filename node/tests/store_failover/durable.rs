//! What an acknowledgement is worth when `durability` is `durable`.

use std::time::Duration;

use futures_util::future::join;
use parlance::domain::refusal::Outcome;
use parlance::domain::room::Visibility;
use parlance::domain::topic::Topic;
use parlance::lifecycle::Lifecycle;
use parlance::store::config::{Config, Durability};
use parlance::store::{AppendError, Arrivals, Health, Stamp, connect};
use rustix::process::Signal;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

use crate::store_support::load::Ledger;
use crate::store_support::replicated::Pair;
use crate::store_support::*;

#[tokio::test(flavor = "multi_thread")]
async fn what_no_replica_has_is_unknown_and_stored_once_by_its_retry() {
    let pair = Pair::start().await;
    let mut node = Node::start_with(&pair.durable()).await;
    let room = room("conv-1");
    node.store.create(&room, Visibility::Public).await.unwrap();
    node.store.join(&Topic::Room(room.clone()), Stamp(1)).await.unwrap().unwrap();
    node.store.append(message(&room, "alice", None, "1")).await.unwrap();

    pair.replica.redis.signal(Signal::STOP);
    let send = message(&room, "alice", Some("c-2"), "2");
    // The retry finds it stored, and still nothing but the primary has it.
    for _ in 0..2 {
        let asked = Instant::now();
        let result = node.store.append(send.clone()).await;
        let Err(AppendError::Failed(error)) = &result else { panic!("{result:?}") };
        assert_eq!(error.outcome, Outcome::Unknown);
        assert!(Duration::from_millis(2900) <= asked.elapsed());
    }
    let heard = node.entries(2).await;
    assert_eq!(text(&heard[1]), "2", "nobody waits with hearing it");
    pair.replica.redis.signal(Signal::CONT);
    let stored = node.store.append(send).await.unwrap();
    assert_eq!((stored.position, stored.duplicate), (heard[1].position, true));
    let key = pair.replica.redis.key_of(&room, "s").await;
    let length: i64 = pair.replica.redis.ask(&format!("XLEN {key}")).await;
    assert_eq!(length, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_with_its_primary() {
    let pair = Pair::start().await;
    let (one, two) =
        (Node::start_with(&pair.durable()).await, Node::start_with(&pair.durable()).await);
    let (room, ledger) = (room("conv-1"), Ledger::default());
    one.store.create(&room, Visibility::Public).await.unwrap();
    let before = *one.store.life().borrow();
    let failover = async {
        ledger.more(100).await;
        // The replica falls behind, so the primary takes along what it has alone.
        pair.replica.redis.signal(Signal::STOP);
        tokio::time::sleep(Duration::from_millis(200)).await;
        pair.primary.kill();
        pair.replica.redis.signal(Signal::CONT);
        let third = pair.promote().await;
        ledger.more(100).await;
        ledger.finish();
        third
    };
    let (_third, ()) = join(failover, ledger.send(&one.store, &room)).await;
    ledger.holds(&two.store, &room).await;
    one.life_after(before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_with_a_redis_that_writes_each_batch_to_its_disk() {
    let mut redis = Redis::start_with(&["--appendonly", "yes", "--appendfsync", "always"]).await;
    let config = Config { durability: Durability::Durable, ..redis.config() };
    let node = Node::start_with(&config).await;
    let (room, ledger) = (room("conv-1"), Ledger::default());
    node.store.create(&room, Visibility::Public).await.unwrap();
    let restarts = async {
        for _ in 0..3 {
            ledger.more(100).await;
            redis.restart().await;
        }
        ledger.more(100).await;
        ledger.finish();
    };
    join(restarts, ledger.send(&node.store, &room)).await;
    ledger.holds(&node.store, &room).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_cannot_keep_the_promise_is_refused_with_the_cure() {
    async fn check(config: Config, problem: &str) {
        let (keeper, _mail) = mpsc::channel(1);
        let (resync, revoked) = (watch::Sender::new(0), mpsc::channel(1).0);
        let arrivals = Arrivals { keepers: [keeper].into(), resync, revoked };
        let config = Config { durability: Durability::Durable, ..config };
        let connected = connect(&config, arrivals, Lifecycle::default());
        let error = timeout(PATIENCE, connected).await.unwrap().unwrap_err();
        assert!(error.message.contains(problem), "{error}");
    }
    let redis = Redis::start().await;
    check(redis.config(), "CONFIG SET appendfsync always").await;
    let _: String = redis.ask("CONFIG SET appendonly yes").await;
    check(redis.config(), "attach a replica").await;
    let _: String = redis.ask("ACL SETUSER dull on >pw ~* &* +@all -config -wait").await;
    let dull = |redis: &Redis| redis.config_with(&format!("dull:pw@x{}", redis.socket().display()));
    check(dull(&redis), "+config|get").await;

    let pair = Pair::start().await;
    let primary = &pair.primary.redis;
    let _: String = primary.ask("ACL SETUSER dull on >pw ~* &* +@all -config -wait").await;
    check(dull(primary), "+wait").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_that_a_demoted_primary_keeps_finds_out() {
    let pair = Pair::start().await;
    let mut node = Node::start_with(&pair.durable()).await;
    let room = room("conv-1");
    node.store.create(&room, Visibility::Public).await.unwrap();
    node.store.join(&Topic::Room(room.clone()), Stamp(1)).await.unwrap().unwrap();
    let (life, before) = (*node.store.life().borrow(), *node.resync.borrow());

    let _third = pair.promote().await;
    // It follows nobody, keeps its connections, and takes no writes.
    let _: String = pair.primary.redis.ask("REPLICAOF 127.0.0.1 1").await;
    let turned = Instant::now();
    node.life_after(life).await;
    node.resynced(before).await;
    node.store.reassert(&[(Topic::Room(room.clone()), Stamp(2))]).await.unwrap();
    node.is(Health::Ready).await;
    assert!(turned.elapsed() < Duration::from_secs(9), "{:?}", turned.elapsed());
    let heard = node.store.append(message(&room, "alice", None, "heard")).await.unwrap();
    assert_eq!(node.entries(1).await[0].position, heard.position);
}
