//! Whole runs against a small server: one that does everything right, and one for each flaw that a
//! broken build of a real server could have.

mod server;

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::dialect::{Dialect, Offer, Resume};
use crate::ledger::Findings;
use crate::meters::Count;
use crate::rehearsal::server::{Flaw, serve};
use crate::run::{Outcome, Plan, run};
use crate::scenario::{Load, Scenario};
use crate::screen::Progress;
use crate::wire::token::Mint;
use crate::world::Settings;

async fn rehearse(flaw: Flaw, scenario: Scenario, offer: Offer) -> Outcome {
    let (target, _server) = serve(flaw).await;
    let load = Load {
        scenario,
        clients: 12,
        rooms: 2,
        rate: 200.0,
        lasting: Duration::from_secs(2),
        connects_per_second: 100.0,
        seed: 1,
    };
    let settings = Settings {
        run: 7,
        targets: vec![target],
        mint: Mint::new("nobody checks"),
        dialect: Dialect::Conversation,
        offer,
        resume: Resume::Since,
        message_bytes: 100,
        repeats: 0.1,
        rooms: load.rooms,
    };
    let interrupt = CancellationToken::new();
    let plan = Plan { settings, load, watched: Default::default(), faults: None, interrupt };
    run(plan, &Progress::new()).await.unwrap()
}

fn names(findings: &Findings) -> Vec<&'static str> {
    findings.broken.keys().map(|it| it.name()).collect()
}

#[tokio::test]
async fn a_right_server_breaks_no_rule() {
    let outcome = rehearse(Flaw::None, Scenario::Steady, Offer::Full).await;
    // The small server tells no presence; a run this short is not judged for it.
    assert_eq!(names(&outcome.findings), [""; 0], "{:#?}", outcome.findings);
    assert_eq!(outcome.world.meters.counted(Count::Acked), 400);
    assert!(0 < outcome.world.meters.counted(Count::Repeated));
    assert_eq!((outcome.delivery.expected, outcome.delivery.told), (2000, 2000));
    assert!(outcome.is_good());
}

#[tokio::test]
async fn who_was_cut_off_goes_on_where_it_was() {
    let outcome = rehearse(Flaw::None, Scenario::ReconnectStorm, Offer::Full).await;
    assert_eq!(names(&outcome.findings), [""; 0], "{:#?}", outcome.findings);
    assert_eq!(outcome.world.meters.counted(Count::Connects), 24);
    assert_eq!(outcome.delivery.expected, outcome.delivery.told);
}

#[tokio::test]
async fn a_server_without_extras_is_only_counted() {
    let outcome = rehearse(Flaw::DropsTellings, Scenario::Steady, Offer::Bare).await;
    assert!(outcome.is_good(), "{:#?}", outcome.findings);
    assert_eq!(outcome.delivery.expected, 2000);
    assert_eq!(outcome.delivery.told, 2000 - 8 * 5);
}

#[tokio::test]
async fn every_flaw_is_caught() {
    let caught = |flaw| async move {
        let outcome = rehearse(flaw, Scenario::Steady, Offer::Full).await;
        names(&outcome.findings)
    };
    let (drops, reuses, skips, loses) = tokio::join!(
        caught(Flaw::DropsTellings),
        caught(Flaw::ReusesSeqs),
        caught(Flaw::SkipsDedupe),
        caught(Flaw::LosesAcked),
    );
    assert!(drops.contains(&"SKIP"), "{drops:?}");
    assert!(reuses.contains(&"DIVERGED"), "{reuses:?}");
    assert!(skips.contains(&"DUP_LOG"), "{skips:?}");
    assert!(loses.contains(&"LOST_ACK"), "{loses:?}");
}
