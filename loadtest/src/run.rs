//! One run: clients, auditors and, where there are any, faults; then the judgement.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::audit::Auditor;
use crate::client::Client;
use crate::dialect::Offer;
use crate::history::{History, RoomIndex};
use crate::ledger::{Delivery, Evidence, Findings, RoomLog, delivery};
use crate::meters::{Count, Timeline};
use crate::process::usage;
use crate::scenario::Load;
use crate::screen::Progress;
use crate::world::{Settings, World, micros};

/// How many read the logs side by side.
const AUDITORS: u32 = 4;

/// Nothing may have arrived for so long when a run ends.
const QUIET: Duration = Duration::from_secs(2);

/// How long to wait for that after the last message and the last fault.
const SETTLE_MAX: Duration = Duration::from_secs(60);

/// How long a change of presence may take to be known.
const PRESENCE_BOUND: Duration = Duration::from_secs(10);

/// Something that was done to the servers during a run.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Mark {
    /// Seconds of the run.
    pub(crate) from: f64,
    pub(crate) until: f64,
    pub(crate) what: String,
    /// What shows that it acted; `None`: nothing does, so the run does not count.
    pub(crate) proof: Option<String>,
}

/// Does things to the servers, from the start of a run on, and says what.
pub(crate) type Faults = Pin<Box<dyn Future<Output = Vec<Mark>> + Send>>;

/// Processes whose use of CPU and memory is noted; they may change during a run.
pub(crate) type Watched = Arc<Mutex<Vec<u32>>>;

/// What a run needs.
pub(crate) struct Plan {
    pub(crate) settings: Settings,
    pub(crate) load: Load,
    pub(crate) watched: Watched,
    pub(crate) faults: Option<Faults>,
    /// Ends the run before its time, in order.
    pub(crate) interrupt: CancellationToken,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) world: Arc<World>,
    pub(crate) load: Load,
    pub(crate) timeline: Timeline,
    pub(crate) marks: Vec<Mark>,
    pub(crate) findings: Findings,
    pub(crate) delivery: Delivery,
    /// Why it ended before its time.
    pub(crate) cut_short: Option<&'static str>,
    /// Messages without an outcome at the end.
    pub(crate) open_sends: u64,
}

/// Why a run did not begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error("cannot read the rooms before the run: {0}")]
    Rooms(String),
    #[error("interrupted before the start")]
    Interrupted,
    #[error("cannot sign a token: {0}")]
    Token(#[from] jsonwebtoken::errors::Error),
}

impl Outcome {
    /// The longest run of whole seconds in which messages were due and none was acknowledged.
    pub(crate) fn longest_silence(&self) -> usize {
        let due = self.load.from().as_secs_f64() + 1.0..self.load.until().as_secs_f64();
        let seconds = self.timeline.seconds.iter().filter(|it| due.contains(&it.at));
        let acked: Vec<u64> = seconds.map(|it| it.counts[Count::Acked as usize]).collect();
        acked.split(|it| 0 < *it).map(<[u64]>::len).max().unwrap_or(0)
    }

    /// No rule was broken, nothing was left open, and every fault acted.
    pub(crate) fn is_good(&self) -> bool {
        let is_proven = self.marks.iter().all(|it| it.proof.is_some());
        self.findings.is_clean() && is_proven && self.cut_short.is_none()
    }
}

/// Runs a load against servers to its end.
pub(crate) async fn run(plan: Plan, progress: &Progress) -> Result<Outcome, RunError> {
    let Plan { settings, load, watched, faults, interrupt } = plan;
    let mut world = World::new(settings);
    let auditors = tokio::select! {
        () = interrupt.cancelled() => return Err(RunError::Interrupted),
        opened = open(&world, progress) => opened?,
    };
    world.start = Instant::now();
    let world = Arc::new(world);
    let stop = CancellationToken::new();
    let mut clients = JoinSet::new();
    for (index, behaviour) in load.behaviours().into_iter().enumerate() {
        let token = world.mint.token(&world.user_name(behaviour.user))?;
        let client = Client::new(Arc::clone(&world), index, behaviour, token);
        let stopped = stop.clone();
        clients.spawn(async move { (index, client.run(stopped).await) });
    }
    let audit_stop = CancellationToken::new();
    let mut audits = JoinSet::new();
    for auditor in auditors {
        audits.spawn(auditor.run(Arc::clone(&world), audit_stop.clone()));
    }
    let timeline = Timeline::new();
    let world_of_course = Arc::clone(&world);
    let mut course =
        Course { world: world_of_course, load, watched, timeline, interrupt, progress };
    let (marks, cut_short) = course.follow(faults).await;
    let end_us = micros(world.now());
    let open_sends = world.open_sends.load(std::sync::atomic::Ordering::Relaxed);
    stop.cancel();
    let histories = histories(&mut clients).await;
    audit_stop.cancel();
    progress.say("reading the logs");
    let logs = logs(&mut audits).await;
    progress.say("checking");
    let evidence =
        Evidence { offer: world.offer, histories, logs, end_us, presence_bound: PRESENCE_BOUND };
    let findings = evidence.judge();
    let delivery = delivery(&evidence);
    let timeline = course.timeline;
    Ok(Outcome { world, load, timeline, marks, findings, delivery, cut_short, open_sends })
}

/// Auditors that have seen every room empty; none where the server offers no logs.
async fn open(world: &World, progress: &Progress) -> Result<Vec<Auditor>, RunError> {
    if world.offer == Offer::Bare {
        return Ok(Vec::new());
    }
    progress.say("opening the rooms");
    let rooms = RoomIndex::try_from(world.rooms.len()).unwrap_or(RoomIndex::MAX);
    let shares = (0..AUDITORS).map(|index| {
        let share = (0..rooms).filter(|room| room % AUDITORS == index).collect();
        Auditor::open(world, index as usize, share)
    });
    let auditors = futures_util::future::join_all(shares).await;
    match auditors.iter().find_map(Auditor::fault) {
        Some(fault) => Err(RunError::Rooms(fault.to_owned())),
        None => Ok(auditors),
    }
}

async fn histories(clients: &mut JoinSet<(usize, History)>) -> Vec<History> {
    let mut found: Vec<(usize, History)> = Vec::new();
    while let Some(ended) = clients.join_next().await {
        found.extend(ended.ok());
    }
    found.sort_by_key(|it| it.0);
    found.into_iter().map(|it| it.1).collect()
}

async fn logs(audits: &mut JoinSet<Vec<(RoomIndex, RoomLog)>>) -> Vec<RoomLog> {
    let mut found = Vec::new();
    while let Some(ended) = audits.join_next().await {
        found.extend(ended.unwrap_or_default());
    }
    found.sort_by_key(|it| it.0);
    found.into_iter().map(|it| it.1).collect()
}

/// The time between start and stop.
struct Course<'a> {
    world: Arc<World>,
    load: Load,
    watched: Watched,
    timeline: Timeline,
    interrupt: CancellationToken,
    progress: &'a Progress,
}

impl Course<'_> {
    /// Waits until everything has been sent, done and heard.
    async fn follow(&mut self, faults: Option<Faults>) -> (Vec<Mark>, Option<&'static str>) {
        let mut tick = tokio::time::interval_at(
            Instant::now() + Duration::from_secs(1),
            Duration::from_secs(1),
        );
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut marks, mut is_calm) = (Vec::new(), faults.is_none());
        let mut faults: Faults = faults.unwrap_or_else(|| Box::pin(std::future::pending()));
        let mut calm_at = Duration::ZERO;
        let mut cut_short = None;
        loop {
            tokio::select! {
                biased;
                () = self.interrupt.cancelled(), if cut_short.is_none() => {
                    cut_short = Some("interrupted");
                    self.world.call_off();
                }
                done = &mut faults, if !is_calm => {
                    (marks, is_calm) = (done, true);
                    calm_at = self.world.now();
                }
                _ = tick.tick() => {
                    self.tick();
                    if self.world.budget.is_spent() {
                        cut_short = cut_short.or(Some("the histories are full"));
                        self.world.call_off();
                    }
                    let end = self.load.until().min(self.world.curfew()).max(calm_at);
                    let since = self.world.now().checked_sub(end);
                    if is_calm && since.is_some_and(|it| self.is_settled(it)) {
                        return (marks, cut_short);
                    }
                }
            }
        }
    }

    fn tick(&mut self) {
        let pids = self.watched.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let now = self.world.now();
        self.timeline.tick(&self.world.meters, now, usage(&pids));
        let counted = |it| self.world.meters.counted(it);
        self.progress.show(
            now.as_secs_f64() / self.load.until().as_secs_f64(),
            &format!(
                "{:>8} acked {:>9} delivered {:>5} losses {:>5} unknown",
                counted(Count::Acked),
                counted(Count::Delivered),
                counted(Count::Losses),
                counted(Count::Unknown)
            ),
        );
    }

    fn is_settled(&self, since: Duration) -> bool {
        let is_open = 0 < self.world.open_sends.load(std::sync::atomic::Ordering::Relaxed);
        let is_quiet = QUIET <= self.world.quiet() && !is_open;
        SETTLE_MAX <= since || (is_quiet && self.load.scenario.settle() <= since)
    }
}
