//! From an address to a running store.

use std::sync::Arc;
use std::time::Duration;

use fred::clients::Client;
use fred::error::{Error, ErrorKind};
use fred::interfaces::ClientLike;
use fred::types::InfoKind;
use fred::types::config::Config as FredConfig;
use tokio::select;
use tokio::sync::{Mutex, Notify, Semaphore, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use crate::domain::id::NodeLife;
use crate::lifecycle::Lifecycle;
use crate::store::beat::{Beat, Hearing, NoLife, Reported, UNHEARD_MAX};
use crate::store::config::Config;
use crate::store::confirm::Confirmation;
use crate::store::keys::Keys;
use crate::store::metrics::Metrics;
use crate::store::publisher::{BYTES_WAITING_MAX, JOBS_WAITING_MAX, Publisher};
use crate::store::sentinel::Sentinels;
use crate::store::shard::Shard;
use crate::store::subscriber::{Heard, Subscriber};
use crate::store::{Arrivals, Health, Store, StoreError, client, reaper};

/// Between attempts to reach a Redis that is not there yet.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// How a server begins to say that it does not take what it was shown.
const REFUSALS: [&str; 3] = ["WRONGPASS", "NOAUTH", "NOPERM"];

/// Oldest release of Redis whose scripts have flags.
const VERSION_MIN: (u64, u64) = (7, 0);

/// Does what [`crate::store::connect()`] promises.
pub(crate) async fn connect(
    config: &Config,
    arrivals: Arrivals,
    lifecycle: Lifecycle,
) -> Result<Store, StoreError> {
    let Some(url) = &config.url else {
        return Err(StoreError::refused("redis.url is not set".to_owned()));
    };
    let address = client::parse_url(url)
        .map_err(|problem| StoreError::refused(format!("redis.url: {problem}")))?;
    select! {
        biased;
        () = lifecycle.stopping() => Err(StoreError::refused("stopped while connecting".to_owned())),
        store = start(config, &address, arrivals, &lifecycle) => store,
    }
}

async fn start(
    config: &Config,
    address: &FredConfig,
    arrivals: Arrivals,
    lifecycle: &Lifecycle,
) -> Result<Store, StoreError> {
    let commands = open(|| client::commands(address)).await?;
    check_server(&commands).await?;
    let (sentinels, replicas) = agreed_sentinels(address).await?;
    let confirmation =
        Confirmation::choose(config.durability, address, &commands, replicas).await?;
    let publishing = open(|| client::commands(address)).await?;
    let subscribing = open(|| client::subscriber(address)).await?;

    let (life_sender, life) = watch::channel(NodeLife { index: 0, incarnation: 0 });
    let (heard_sender, heard) = watch::channel(Heard { beat: 0, at: Instant::now() });
    let (reported_sender, reported) = watch::channel(Reported::default());
    let (table_sender, table) = watch::channel(Vec::new());
    let (jobs_sender, jobs) = mpsc::channel(JOBS_WAITING_MAX);
    let (retire_sender, retire) = oneshot::channel();
    let (deaf, stop) = (Arc::new(Notify::new()), CancellationToken::new());
    let stops_unless_connected = stop.clone().drop_guard();
    let shard = shard(config, commands, life.clone());
    let mut beat = Beat {
        shard: Arc::clone(&shard),
        name: Uuid::new_v4().to_string(),
        life: life_sender,
        generation: 0,
        asked: (0, Instant::now()),
        hearing: Hearing::new(Instant::now()),
        heard: heard.clone(),
        reported,
        table: table_sender,
        deaf: Arc::clone(&deaf),
    };
    first_life(&mut beat).await?;

    if let Some(sentinels) = sentinels {
        let clients = [shard.client.clone(), publishing.clone()];
        lifecycle.spawn("store.sentinels", sentinels.run(clients, Arc::clone(&deaf), stop.clone()));
    }
    let health = watch_health(lifecycle, heard, stop.clone());
    let subscriber = Subscriber {
        shard: Arc::clone(&shard),
        client: subscribing,
        life,
        arrivals,
        heard: heard_sender,
        deaf,
        stop: stop.clone(),
    };
    lifecycle.spawn("store.subscriber", subscriber.run());
    let publisher = Publisher {
        shard: Arc::clone(&shard),
        client: publishing.clone(),
        confirmation,
        jobs,
        carried: None,
        stop: stop.clone(),
    };
    lifecycle.spawn("store.publisher", publisher.run());
    lifecycle.spawn("store.reaper", reaper::run(Arc::clone(&shard), table.clone(), stop.clone()));
    lifecycle.spawn("store.beat", beat.run(publishing, retire, stop));

    if health.clone().wait_for(|health| *health == Health::Ready).await.is_err() {
        return Err(StoreError::refused("stopped while connecting".to_owned()));
    }
    stops_unless_connected.disarm();
    Ok(Store {
        shard,
        jobs: jobs_sender,
        jobs_room: Arc::new(Semaphore::new(BYTES_WAITING_MAX)),
        health,
        reported: Arc::new(reported_sender),
        table,
        retire: Arc::new(Mutex::new(Some(retire_sender))),
    })
}

fn shard(config: &Config, client: Client, life: watch::Receiver<NodeLife>) -> Arc<Shard> {
    Arc::new(Shard {
        client,
        keys: Keys::new(&config.prefix),
        life,
        history: config.history,
        revoked_for: config.revoked_for,
        metrics: Metrics::register(),
        stale: watch::Sender::new(NodeLife { index: 0, incarnation: 0 }),
    })
}

async fn first_life(beat: &mut Beat) -> Result<(), StoreError> {
    while let Err(problem) = beat.register().await {
        match problem {
            NoLife::NotNow(failure) => warn!(error = ?failure, "registering failed; trying again"),
            NoLife::Mismatch(_) => return Err(problem.into()),
        }
        sleep(RETRY_EVERY).await;
    }
    Ok(())
}

/// Opens a client, and waits for a Redis that is not there yet.
async fn open(build: impl Fn() -> Result<Client, Error>) -> Result<Client, StoreError> {
    loop {
        let client = build().map_err(|error| StoreError::refused(error.to_string()))?;
        let Err(error) = client.init().await else { return Ok(client) };
        // Behind sentinels every failure is of one kind.
        if REFUSALS.iter().any(|it| error.details().starts_with(it)) {
            return Err(refuses(&error));
        }
        match error.kind() {
            ErrorKind::Auth | ErrorKind::Config | ErrorKind::Url | ErrorKind::InvalidArgument => {
                return Err(refuses(&error));
            }
            ErrorKind::IO
            | ErrorKind::Routing
            | ErrorKind::InvalidCommand
            | ErrorKind::Protocol
            | ErrorKind::Tls
            | ErrorKind::Canceled
            | ErrorKind::Unknown
            | ErrorKind::Timeout
            | ErrorKind::Cluster
            | ErrorKind::Parse
            | ErrorKind::Sentinel
            | ErrorKind::NotFound
            | ErrorKind::Backpressure => {
                warn!(%error, "redis cannot be reached; trying again");
                sleep(RETRY_EVERY).await;
            }
        }
    }
}

/// The sentinels of the address, once they agree, and how many replicas have to confirm a batch.
async fn agreed_sentinels(
    address: &FredConfig,
) -> Result<(Option<Sentinels>, watch::Receiver<u64>), StoreError> {
    let (needed, replicas) = watch::channel(1);
    let mut sentinels = Sentinels::of(address, needed).map_err(|it| refuses(&it))?;
    if let Some(sentinels) = &mut sentinels {
        sentinels.agree().await;
    }
    Ok((sentinels, replicas))
}

fn refuses(error: &Error) -> StoreError {
    StoreError::refused(format!("redis refuses this node: {error}"))
}

/// Refuses a Redis on which promises would not hold.
async fn check_server(client: &Client) -> Result<(), StoreError> {
    let replication = info(client, InfoKind::Replication).await?;
    if field(&replication, "master_replid").is_none() {
        return Err(StoreError::refused("INFO replication names no master_replid".to_owned()));
    }
    let server = info(client, InfoKind::Server).await?;
    let version = field(&server, "redis_version").unwrap_or_default();
    if version_of(version) < VERSION_MIN {
        return Err(StoreError::refused(format!("redis {version} is too old: 7.0 is needed")));
    }
    let memory = info(client, InfoKind::Memory).await?;
    match field(&memory, "maxmemory_policy") {
        None | Some("noeviction") => {
            info!(redis.version = version, "redis is connected");
            Ok(())
        }
        Some(policy) => Err(StoreError::refused(format!(
            "redis evicts keys (maxmemory-policy {policy}), and so would lose messages; run CONFIG \
             SET maxmemory-policy noeviction, and set it in its configuration file"
        ))),
    }
}

pub(crate) async fn info(client: &Client, section: InfoKind) -> Result<String, StoreError> {
    let needs = "INFO, which tells a restart or a promotion: allow it with ACL SETUSER … +info";
    ask(needs, || client.info(Some(section.clone()))).await
}

/// Asks until Redis answers. `needs` names the command and the permission that cures a refusal.
pub(crate) async fn ask<T, F>(needs: &str, command: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, Error>>,
{
    loop {
        let error = match command().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        if error.details().starts_with("NOPERM") {
            return Err(StoreError::refused(format!(
                "this user of redis may not run {needs} ({error})"
            )));
        }
        warn!(%error, "asking redis for its state failed; trying again");
        sleep(RETRY_EVERY).await;
    }
}

pub(crate) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

fn version_of(version: &str) -> (u64, u64) {
    let mut numbers = version.split('.').map(|it| it.parse().unwrap_or_default());
    (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default())
}

fn watch_health(
    lifecycle: &Lifecycle,
    mut heard: watch::Receiver<Heard>,
    stop: CancellationToken,
) -> watch::Receiver<Health> {
    let (health, watched) = watch::channel(Health::Starting);
    lifecycle.spawn("store.health", async move {
        loop {
            let silent_at = heard.borrow_and_update().at + UNHEARD_MAX;
            let is_degraded = *health.borrow() == Health::Degraded;
            select! {
                () = stop.cancelled() => return,
                changed = heard.changed() => match changed {
                    Ok(()) if is_degraded => {
                        info!("beats come back");
                        health.send_replace(Health::Ready);
                    }
                    Ok(()) => { health.send_replace(Health::Ready); }
                    Err(_) => return,
                },
                () = sleep_until(silent_at), if !is_degraded => {
                    warn!("beats do not come back: redis is away, or this node is deaf");
                    health.send_replace(Health::Degraded);
                }
            }
        }
    });
    watched
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_versions_are_found() {
        let text = "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n";
        assert_eq!(field(text, "redis_version"), Some("7.0.15"));
        assert_eq!(field(text, "redis_versio"), None);
        assert!(version_of("6.2.14") < VERSION_MIN && VERSION_MIN <= version_of("7.0.15"));
        assert!(VERSION_MIN <= version_of("255.255.255"));
    }
}
