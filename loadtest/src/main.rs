//! Load tests for chat clusters, with a ledger that checks every delivery.
//!
//! An independent witness: it shares no code with the server, and reads nothing but the wire.

mod arguments;
mod audit;
mod behaviour;
mod client;
mod cluster;
mod content;
mod dialect;
mod history;
mod ledger;
mod meters;
mod process;
#[cfg(test)]
mod rehearsal;
mod report;
mod run;
mod scenario;
mod screen;
mod wire;
mod world;

use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Parser;
use rustix::process::{Resource, getrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::arguments::{Arguments, Command, Options, Run};
use crate::cluster::fault::{Course, inject};
use crate::cluster::launched::beside;
use crate::cluster::{Cluster, Wanted};
use crate::dialect::Offer;
use crate::report::Report;
use crate::run::{Faults, Outcome, Plan, Watched};
use crate::screen::Progress;
use crate::wire::target::Target;
use crate::wire::token::{Mint, unix_seconds};
use crate::world::Settings;

/// As `sysexits` has it: the command line is wrong.
const EXIT_USAGE: u8 = 64;
/// Something that the run needs is not there.
const EXIT_UNAVAILABLE: u8 = 69;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { EXIT_USAGE } else { 0 };
            // Nothing is left to tell it to if the terminal is gone.
            drop(error.print());
            return ExitCode::from(code);
        }
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            screen::complain(&format!("cannot start: {error}"));
            return ExitCode::from(EXIT_UNAVAILABLE);
        }
    };
    match runtime.block_on(supervise(arguments.command)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            screen::complain(&why);
            ExitCode::from(EXIT_UNAVAILABLE)
        }
    }
}

/// A first Ctrl-C or SIGTERM ends the run in order; a second one drops everything at once, which
/// also ends every process that was started.
async fn supervise(command: Command) -> Result<bool, String> {
    let interrupt = CancellationToken::new();
    let interrupted = async {
        signalled().await;
        interrupt.cancel();
        signalled().await;
    };
    tokio::select! {
        biased;
        result = carry_out(command, interrupt.clone()) => result,
        () = interrupted => Err("interrupted twice".to_owned()),
    }
}

/// Waits for Ctrl-C or SIGTERM. Where signals cannot be heard, they end the process as usual.
async fn signalled() {
    match signal(SignalKind::terminate()) {
        Ok(mut terminated) => tokio::select! {
            _ = tokio::signal::ctrl_c() => (),
            _ = terminated.recv() => (),
        },
        Err(_) => std::future::pending().await,
    }
}

/// Whether everything held; the error says what is missing.
async fn carry_out(command: Command, interrupt: CancellationToken) -> Result<bool, String> {
    let (Command::Run(Run { options, .. })
    | Command::Compare(Run { options, .. })
    | Command::Cluster(arguments::Cluster { options, .. })) = &command;
    check_descriptors(options.load().clients)?;
    match command {
        Command::Run(run) => against(run, Offer::Full, interrupt).await,
        Command::Compare(run) => against(run, Offer::Bare, interrupt).await,
        Command::Cluster(wanted) => against_cluster(wanted, interrupt).await,
    }
}

async fn against_cluster(
    wanted: arguments::Cluster,
    interrupt: CancellationToken,
) -> Result<bool, String> {
    let progress = Progress::new();
    progress.say("starting the cluster");
    let watched = Watched::default();
    let kind = Wanted {
        nodes: usize::from(wanted.nodes),
        parlance: wanted.parlance.unwrap_or_else(|| beside("parlance")),
        redis: wanted.redis,
        is_durable: wanted.durable,
        fsync: wanted.fsync,
        is_behind_haproxy: wanted.haproxy,
    };
    if let Some(fault) = wanted.faults.iter().find(|it| !it.is_possible(wanted.redis)) {
        return Err(format!("{fault:?} is not possible with this kind of Redis"));
    }
    let cluster = tokio::select! {
        () = interrupt.cancelled() => return Err("interrupted before the start".to_owned()),
        started = Cluster::start(&kind, Arc::clone(&watched)) => started,
    };
    let cluster = cluster.map_err(|error| error.to_string())?;
    let load = wanted.options.load();
    let every = Duration::from_secs(wanted.every);
    let course = Course {
        faults: wanted.faults,
        first: load.from() + every / 2,
        every,
        lasting: Duration::from_secs(wanted.fault_seconds),
        until: load.until(),
        interrupt: interrupt.clone(),
    };
    let settings = settings(&wanted.options, cluster.targets(), cluster::SECRET, Offer::Full);
    let cluster = Arc::new(tokio::sync::Mutex::new(cluster));
    let faults: Faults = Box::pin(inject(Arc::clone(&cluster), course));
    let plan = Plan { settings, load, watched, faults: Some(faults), interrupt };
    let outcome = run::run(plan, &progress).await;
    progress.end();
    let is_good = publish(&wanted.options, &outcome.map_err(|error| error.to_string())?)?;
    if !is_good {
        for words in cluster.lock().await.last_words() {
            screen::complain(&words);
        }
    }
    Ok(is_good)
}

async fn against(run: Run, offer: Offer, interrupt: CancellationToken) -> Result<bool, String> {
    let secret = run.secret.read().map_err(|error| format!("cannot read the secret: {error}"))?;
    let settings = settings(&run.options, run.urls, &secret, offer);
    let watched = Arc::new(Mutex::new(run.pids));
    let plan = Plan { settings, load: run.options.load(), watched, faults: None, interrupt };
    let progress = Progress::new();
    let outcome = run::run(plan, &progress).await;
    progress.end();
    publish(&run.options, &outcome.map_err(|error| error.to_string())?)
}

/// Beside the clients' sockets: logs, pipes, auditors.
const DESCRIPTORS_SPARE: u64 = 200;

/// Whether this process may open a socket for every client.
fn check_descriptors(clients: u32) -> Result<(), String> {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let needed = u64::from(clients) + DESCRIPTORS_SPARE;
    if needed <= limit {
        return Ok(());
    }
    Err(format!(
        "{clients} clients need {needed} descriptors, and the limit is {limit} (ulimit -n)"
    ))
}

fn settings(options: &Options, targets: Vec<Target>, secret: &str, offer: Offer) -> Settings {
    // Two runs within a second have other processes.
    let run = unix_seconds().wrapping_mul(31).wrapping_add(u64::from(std::process::id()));
    Settings {
        run: u32::try_from(run & u64::from(u32::MAX)).unwrap_or(0),
        targets,
        mint: Mint::new(secret),
        dialect: options.dialect,
        offer,
        resume: options.resume,
        message_bytes: options.message_bytes(),
        repeats: options.repeats / 100.0,
        rooms: options.load().rooms,
    }
}

fn publish(options: &Options, outcome: &Outcome) -> Result<bool, String> {
    let title = options.scenario.to_string();
    screen::print(&screen::report(&title, outcome));
    let report = Report::new(&title, outcome);
    let unwritten = |error: std::io::Error| format!("cannot write the report: {error}");
    if let Some(file) = &options.json {
        report.write_json(file).map_err(unwritten)?;
    }
    if let Some(file) = &options.html {
        report.write_page(file).map_err(unwritten)?;
    }
    Ok(outcome.is_good())
}
