//! Running a node.

use std::time::Duration;

use parlance::app;
use parlance::auth::mint::NewToken;
use parlance::config::Config;
use parlance::domain::id::UserId;
use parlance::domain::role::Role;
use parlance::telemetry::logging;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::Failure;
use crate::commands::{failed, new_token, prepare, print};

/// A token for trying things out: long enough for an evening.
const GREETING_TTL: Duration = Duration::from_secs(12 * 3600);

/// Runs a node until it has left, or until a second signal.
pub(crate) fn serve(mut config: Config) -> Result<(), Failure> {
    logging::start(&config.log).map_err(failed)?;
    prepare(&mut config)?;
    if config.is_laptop {
        greet(&config)?;
    }
    let runtime = Runtime::new().map_err(failed)?;
    let outcome = runtime.block_on(async {
        let mut signals = Signals::new().map_err(failed)?;
        tokio::select! {
            outcome = app::run(config) => outcome.map_err(failed),
            () = signals.second() => Err(Failure::Failed("ended by a second signal".to_owned())),
        }
    });
    // Tasks that are left now are those that nobody waits for.
    runtime.shutdown_background();
    outcome
}

/// Tells who started a node for themselves how to reach it.
fn greet(config: &Config) -> Result<(), Failure> {
    let user = UserId::parse("alice").map_err(failed)?;
    let wanted = NewToken {
        user,
        name: None,
        role: Role::User,
        rooms: Vec::new(),
        departments: Vec::new(),
        ttl: GREETING_TTL,
    };
    let token = new_token(&config.auth, &wanted)?;
    let port = config.listen.port();
    print(format_args!(
        "Parlance serves this machine at http://localhost:{port}, with a Redis of its own.\n\
         A token for the user alice, good for 12 hours:\n\n  {token}\n\n\
         For others: parlance token --sub bob\n"
    ))
}

/// The two signals that ask a node to leave. The node itself acts on the first one.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Resolves at the second signal: whoever asks twice does not want to wait.
    async fn second(&mut self) {
        for _ in 0..2 {
            tokio::select! {
                _ = self.terminate.recv() => (),
                _ = self.interrupt.recv() => (),
            }
        }
    }
}
