//! Running a node.

use std::time::Duration;

use parlance::app;
use parlance::auth::mint::NewToken;
use parlance::config::Config;
use parlance::domain::id::UserId;
use parlance::domain::role::Role;
use parlance::secret::Secret;
use parlance::store::embedded::EmbeddedRedis;
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
    let runtime = Runtime::new().map_err(failed)?;
    let outcome = runtime.block_on(async {
        let mut signals = Signals::new().map_err(failed)?;
        match &config.redis.url {
            Some(_) => run(config, &mut signals).await,
            None => run_with_redis(config, &mut signals).await,
        }
    });
    // Tasks that are left now are those that nobody waits for.
    runtime.shutdown_background();
    outcome
}

/// Runs a node that was given no Redis on one of its own.
async fn run_with_redis(mut config: Config, signals: &mut Signals) -> Result<(), Failure> {
    let redis = tokio::select! {
        redis = EmbeddedRedis::start(&config.data_dir, config.durability) => redis.map_err(failed)?,
        () = signals.one() => return Ok(()), // asked to leave before there was anything to leave
    };
    config.redis.url = Some(Secret::new(redis.url()));
    if config.is_laptop {
        greet(&config)?;
    }
    run(config, signals).await?; // a failure drops Redis, which ends it without a wait
    redis.stop().await;
    Ok(())
}

async fn run(config: Config, signals: &mut Signals) -> Result<(), Failure> {
    tokio::select! {
        outcome = app::run(config) => outcome.map_err(failed),
        () = signals.two() => Err(Failure::Failed("ended by a second signal".to_owned())),
    }
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
        "Parlance will serve this machine, with a Redis of its own. A page to try it out:\n\n  \
         http://localhost:{port}/\n\n\
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

    async fn one(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => (),
            _ = self.interrupt.recv() => (),
        }
    }

    /// Resolves at the second signal: whoever asks twice does not want to wait.
    async fn two(&mut self) {
        self.one().await;
        self.one().await;
    }
}
