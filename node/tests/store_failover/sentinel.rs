//! Redis behind Sentinel, and what it says while it changes its mind about who the primary is.

use std::time::Duration;

use futures_util::future::join;
use parlance::domain::refusal::{Outcome, Refusal};
use parlance::domain::room::Visibility;
use parlance::store::{AppendError, Health};
use rustix::process::Signal;
use tokio::time::Instant;

use crate::store_support::load::Ledger;
use crate::store_support::proxy::Proxy;
use crate::store_support::replicated::Watched;
use crate::store_support::*;

/// Writes are back within three seconds after the sentinels have agreed on another primary; half as
/// much again on a machine that is busy with other tests.
const BACK_WITHIN: Duration = Duration::from_millis(4_500);

#[tokio::test(flavor = "multi_thread")]
async fn failovers_lose_nothing_acknowledged_and_writes_are_back_soon() {
    let watched = Watched::start().await;
    let (one, two) =
        (Node::start_with(&watched.durable()).await, Node::start_with(&watched.durable()).await);
    let (room, ledger) = (room("conv-1"), Ledger::default());
    one.store.create(&room, Visibility::Public).await.unwrap();
    let (first, before) = (watched.primary().port, *one.store.life().borrow());
    let nemesis = async {
        ledger.more(100).await;
        // The primary lives and has to go: for ten seconds it would take what is going to be lost.
        watched.fail_over();
        back_after(&ledger, &watched, first).await;
        // All follow the new one again, so one may take over and another one confirm.
        let second = watched.primary();
        second.says("INFO replication", "connected_slaves:2").await;
        second.kill();
        back_after(&ledger, &watched, second.port).await;
        ledger.finish();
    };
    join(nemesis, ledger.send(&one.store, &room)).await;
    // Each failover begins a generation, and so a life: what was sent meanwhile was tried again.
    one.life_after(before).await;
    ledger.holds(&two.store, &room).await;
    one.is(Health::Ready).await;
    two.is(Health::Ready).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_slept_through_its_end_acknowledges_nothing_that_is_lost() {
    let watched = Watched::start().await;
    let node = Node::start_with(&watched.durable()).await;
    let (room, ledger) = (room("conv-1"), Ledger::default());
    node.store.create(&room, Visibility::Public).await.unwrap();
    let nemesis = async {
        ledger.more(100).await;
        let sleeper = watched.primary();
        sleeper.redis.signal(Signal::STOP);
        back_after(&ledger, &watched, sleeper.port).await;
        // For some seconds it takes what old connections bring.
        sleeper.redis.signal(Signal::CONT);
        watched.primary().says("INFO replication", "connected_slaves:2").await;
        ledger.more(100).await;
        ledger.finish();
    };
    join(nemesis, ledger.send(&node.store, &room)).await;
    ledger.holds(&node.store, &room).await;
    node.is(Health::Ready).await;
}

/// Waits for another primary than this one, and for what is acknowledged by it.
async fn back_after(ledger: &Ledger, watched: &Watched, primary: u16) {
    watched.until("another primary", || watched.primary().port != primary).await;
    let moved = Instant::now();
    let back = ledger.more(100).await.duration_since(moved);
    assert!(back < BACK_WITHIN, "writes were away for {back:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_redis_says_in_trouble_is_tried_again_or_refused_and_never_acknowledged() {
    let redis = Redis::start().await;
    let proxy = Proxy::start(&redis.socket(), redis.socket().with_extension("proxy"));
    let node = Node::start_with(&redis.config_with(&proxy.socket.display().to_string())).await;
    let room = room("conv-1");
    node.store.create(&room, Visibility::Public).await.unwrap();
    let mut stored = 0;
    for trouble in [
        "READONLY You can't write against a read only replica.",
        "LOADING Redis is loading the dataset in memory",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "NOREPLICAS Not enough good replicas to write.",
        "CLUSTERDOWN The cluster is down",
        "TRYAGAIN Multiple keys request during rehashing of slot",
        "BUSY Redis is busy running a script.",
        "MISCONF Errors writing to the AOF file: No space left on device",
        "NOSCRIPT No matching script. Please use EVAL.",
        "NOAUTH Authentication required.",
    ] {
        proxy.answer_messages(&[trouble]);
        let appended = node.store.append(message(&room, "alice", None, "hi")).await;
        let appended = appended.unwrap_or_else(|error| panic!("{trouble}: {error:?}"));
        stored += 1;
        assert_eq!((appended.position.seq.0, appended.duplicate), (stored, false), "{trouble}");
        assert_eq!(proxy.answers_left(), 0, "{trouble}");
    }
    proxy.answer_messages(&["OOM command not allowed when used memory > 'maxmemory'."]);
    let refused = node.store.append(message(&room, "alice", None, "hi")).await;
    assert!(matches!(refused, Err(AppendError::Refused(Refusal::StorageFull))), "{refused:?}");
    proxy.answer_messages(&["ERR user_script:7: attempt to call nil"]);
    let unknown = node.store.append(message(&room, "alice", None, "hi")).await;
    let Err(AppendError::Failed(error)) = &unknown else { panic!("{unknown:?}") };
    assert_eq!(error.outcome, Outcome::Unknown);
    let length: u64 = redis.ask(&format!("XLEN {}", redis.key_of(&room, "s").await)).await;
    assert_eq!(length, stored);
}
