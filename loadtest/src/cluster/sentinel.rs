//! Redis behind Sentinel: a primary, two replicas, three sentinels, and how the primary changes.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::cluster::fault::Acted;
use crate::cluster::launched::{LaunchError, Launched, Recipe, free_address};
use crate::cluster::redis::{Answer, Fsync, ask, info};
use crate::cluster::{Cluster, Server};

/// What the sentinels call the primary.
const NAME: &str = "loadtest";

const REPLICAS: usize = 2;
const SENTINELS: usize = 3;

/// After so long without an answer a sentinel takes a server for dead.
const DOWN_AFTER_MILLIS: u32 = 1000;

/// Time for the sentinels to agree, and for all servers to follow.
const CHANGE_MAX: Duration = Duration::from_secs(40);
const CHANGE_POLL: Duration = Duration::from_millis(100);

impl Cluster {
    /// Gives the one Redis that is there replicas and sentinels, and waits until all know of all.
    pub(super) async fn watch_redis(&mut self, fsync: Fsync) -> Result<(), LaunchError> {
        let primary = self.redis[0].address;
        for _ in 0..REPLICAS {
            self.start_redis(fsync, Some(primary)).await?;
        }
        for index in 0..SENTINELS {
            let address = free_address().await?;
            let file = self.folder.path().join(format!("sentinel{index}.conf"));
            let (ip, port) = (primary.ip(), primary.port());
            let config = format!(
                "bind {}\nport {}\nsentinel monitor {NAME} {ip} {port} 2\n\
                 sentinel down-after-milliseconds {NAME} {DOWN_AFTER_MILLIS}\n\
                 sentinel failover-timeout {NAME} 5000\nsentinel parallel-syncs {NAME} 2\n",
                address.ip(),
                address.port(),
            );
            std::fs::write(&file, config)?;
            let process = Launched::start(Recipe {
                name: format!("sentinel{index}"),
                program: "redis-server".into(),
                arguments: vec![file.display().to_string(), "--sentinel".to_owned()],
                environment: Vec::new(),
                folder: self.folder.path().to_owned(),
            })?;
            self.sentinels.push(Server { process, address });
        }
        self.settled(primary, None).await.map(|_took| ())
    }

    /// Where nodes ask who the primary is.
    pub(super) fn sentinel_url(&self) -> String {
        let mut addresses = self.sentinels.iter().map(|it| it.address);
        let first = addresses.next().map(|it| it.to_string()).unwrap_or_default();
        let others: String = addresses.map(|it| format!("&node={it}")).collect();
        format!("redis-sentinel://{first}/0?sentinelServiceName={NAME}{others}")
    }

    /// Which server is the primary.
    pub(super) async fn primary(&self) -> Result<usize, LaunchError> {
        let Some(sentinel) = self.sentinels.first() else { return Ok(0) };
        let address = watched(sentinel.address).await?.0;
        let found = self.redis.iter().position(|it| it.address == address);
        found.ok_or_else(|| LaunchError::Redis(format!("{address} is nobody's address")))
    }

    pub(super) async fn primary_address(&self) -> Result<SocketAddr, LaunchError> {
        Ok(self.redis[self.primary().await?].address)
    }

    pub(super) async fn fail_over(&mut self) -> Result<Acted, LaunchError> {
        let before = self.primary_address().await?;
        let sentinel = self.sentinels[0].address;
        let began = Instant::now();
        loop {
            let answer = ask(sentinel, &["SENTINEL", "FAILOVER", NAME]).await?;
            if answer == Answer::Text("OK".to_owned()) {
                break;
            }
            if CHANGE_MAX < began.elapsed() {
                return Err(LaunchError::Redis(format!("a failover is answered {answer:?}")));
            }
            sleep(CHANGE_POLL).await;
        }
        let after = self.settled(before, Some(before)).await?;
        Ok(("a failover was ordered".to_owned(), Some(format!("{before} gave way to {after}"))))
    }

    pub(super) async fn kill_primary(&mut self) -> Result<Acted, LaunchError> {
        let server = self.primary().await?;
        let before = self.redis[server].address;
        self.redis[server].process.kill().await?;
        let began = Instant::now();
        while self.primary_address().await? == before {
            if CHANGE_MAX < began.elapsed() {
                return Err(LaunchError::Redis("nobody took over".to_owned()));
            }
            sleep(CHANGE_POLL).await;
        }
        let took = began.elapsed().as_millis();
        self.redis[server].process.restart()?;
        self.redis_ready(server).await?;
        let after = self.settled(before, Some(before)).await?;
        let proof = format!("{after} took over after {took} ms");
        Ok(("the primary was killed".to_owned(), Some(proof)))
    }

    /// Waits until all sentinels name one primary other than `not`, which has all replicas. The
    /// answer is its address; `known` is named where something goes wrong.
    async fn settled(
        &self,
        known: SocketAddr,
        not: Option<SocketAddr>,
    ) -> Result<SocketAddr, LaunchError> {
        let began = Instant::now();
        while began.elapsed() < CHANGE_MAX {
            if let Some(primary) = self.agreed().await.filter(|it| Some(*it) != not) {
                return Ok(primary);
            }
            sleep(CHANGE_POLL).await;
        }
        Err(LaunchError::Redis(format!("the sentinels of {known} do not agree")))
    }

    /// The primary that all sentinels name and all other servers follow, if it is so.
    async fn agreed(&self) -> Option<SocketAddr> {
        let primary = watched(self.sentinels[0].address).await.ok()?.0;
        for sentinel in &self.sentinels {
            let (address, is_whole) = watched(sentinel.address).await.ok()?;
            if address != primary || !is_whole {
                return None;
            }
        }
        let replicas = info(primary, "connected_slaves").await.ok()?;
        (replicas == REPLICAS.to_string()).then_some(primary)
    }
}

/// The primary that a sentinel names, and whether it knows all replicas and sentinels.
async fn watched(sentinel: SocketAddr) -> Result<(SocketAddr, bool), LaunchError> {
    // name=loadtest,status=ok,address=127.0.0.1:6379,slaves=2,sentinels=3
    let line = info(sentinel, "master0").await?;
    let field = |name: &str| {
        let fields = line.split(',').filter_map(|it| it.split_once('='));
        fields.into_iter().find(|(it, _)| *it == name).map(|(_, value)| value)
    };
    let address = field("address").and_then(|it| it.parse().ok());
    let address = address.ok_or_else(|| LaunchError::Redis(format!("a sentinel says {line}")))?;
    let is = |name: &str, count: usize| field(name) == Some(count.to_string().as_str());
    Ok((address, is("slaves", REPLICAS) && is("sentinels", SENTINELS)))
}
