//! A whole cluster on loopback addresses, for one run: Redis, nodes, and a proxy if wanted.

pub(crate) mod cut;
pub(crate) mod fault;
pub(crate) mod launched;
pub(crate) mod redis;
mod sentinel;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::Mutex;

use crate::cluster::cut::Wire;
use crate::cluster::launched::{LaunchError, Launched, Recipe, free_address, is_ok, ready};
use crate::cluster::redis::{Fsync, Kind};
use crate::run::Watched;
use crate::wire::target::Target;

/// The secret of a cluster that lives for one run and listens on this machine only.
pub(crate) const SECRET: &str = "a secret that only one load test knows";

/// Sockets that the proxy may have open; a process has some 20,000 descriptors.
const PROXY_CONNECTIONS_MAX: u32 = 9_000;

/// What kind of cluster.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) nodes: usize,
    /// The node's binary.
    pub(crate) parlance: PathBuf,
    pub(crate) redis: Kind,
    /// Nodes acknowledge what a replica, or the disk, has as well.
    pub(crate) is_durable: bool,
    pub(crate) fsync: Fsync,
    pub(crate) is_behind_haproxy: bool,
}

/// A running cluster. Dropping it kills every process of it and removes its files.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// The primary is one of them.
    redis: Vec<Server>,
    /// None where there is one Redis alone.
    sentinels: Vec<Server>,
    nodes: Vec<Node>,
    haproxy: Option<(Launched, SocketAddr)>,
    watched: Watched,
    folder: TempDir,
}

/// Something that speaks Redis' protocol.
#[derive(Debug)]
struct Server {
    process: Launched,
    address: SocketAddr,
}

#[derive(Debug)]
struct Node {
    process: Launched,
    public: SocketAddr,
    internal: SocketAddr,
    wire: Wire,
}

/// The run's faults and its end both need the cluster.
pub(crate) type Shared = Arc<Mutex<Cluster>>;

impl Cluster {
    /// Starts everything and waits until it is ready. The nodes' processes are watched.
    pub(crate) async fn start(wanted: &Wanted, watched: Watched) -> Result<Self, LaunchError> {
        let folder = TempDir::with_prefix("parlance-loadtest-")?;
        let (redis, sentinels, nodes) = (Vec::new(), Vec::new(), Vec::new());
        let mut cluster = Self { redis, sentinels, nodes, haproxy: None, watched, folder };
        cluster.start_redis(wanted.fsync, None).await?;
        match wanted.redis {
            Kind::Single => (),
            Kind::Sentinel => cluster.watch_redis(wanted.fsync).await?,
        }
        for index in 0..wanted.nodes {
            let node = cluster.start_node(index, wanted).await?;
            cluster.nodes.push(node);
        }
        for node in 0..wanted.nodes {
            cluster.node_ready(node).await?;
        }
        if wanted.is_behind_haproxy {
            cluster.start_haproxy().await?;
        }
        cluster.watch();
        Ok(cluster)
    }

    /// Where clients connect.
    pub(crate) fn targets(&self) -> Vec<Target> {
        match &self.haproxy {
            Some((_, address)) => vec![Target { address: *address }],
            None => self.nodes.iter().map(|it| Target { address: it.public }).collect(),
        }
    }

    /// The ends of the logs, for whoever has to find out what went wrong.
    pub(crate) fn last_words(&self) -> Vec<String> {
        let nodes = self.nodes.iter().map(|it| &it.process);
        nodes.map(|it| format!("{}: {}", it.recipe().name, it.last_words())).collect()
    }

    async fn start_node(&self, index: usize, wanted: &Wanted) -> Result<Node, LaunchError> {
        let (public, internal) = (free_address().await?, free_address().await?);
        let wire = Wire::lay(self.redis[0].address).await?;
        let redis_url = match wanted.redis {
            Kind::Single => format!("redis://{}", wire.address),
            Kind::Sentinel => self.sentinel_url(),
        };
        let durability = if wanted.is_durable { "durable" } else { "fast" };
        let settings = [
            ("LISTEN", public.to_string()),
            ("INTERNAL_LISTEN", internal.to_string()),
            ("REDIS__URL", redis_url),
            ("DURABILITY", durability.to_owned()),
            ("REDIS__PREFIX", "loadtest".to_owned()),
            ("AUTH__JWT_SECRET", SECRET.to_owned()),
            ("ROOMS__POLICY", "open".to_owned()),
            ("LIMITS__EVENTS_PER_SECOND", "0".to_owned()),
            ("LIMITS__CONNECTIONS_PER_ADDRESS", "0".to_owned()),
        ];
        let name = |it: &str| format!("PARLANCE_{it}");
        let process = Launched::start(Recipe {
            name: format!("node{index}"),
            program: wanted.parlance.clone(),
            arguments: Vec::new(),
            environment: settings.into_iter().map(|(key, value)| (name(key), value)).collect(),
            folder: self.folder.path().to_owned(),
        })?;
        Ok(Node { process, public, internal, wire })
    }

    async fn start_node_again(&mut self, node: usize) -> Result<Duration, LaunchError> {
        self.nodes[node].process.restart()?;
        let took = self.node_ready(node).await?;
        self.watch();
        Ok(took)
    }

    async fn node_ready(&self, node: usize) -> Result<Duration, LaunchError> {
        let node = &self.nodes[node];
        ready(&node.process, || is_ok(node.internal, "/readyz")).await
    }

    /// Starts one more Redis and waits until it serves. It follows that one, if it is named.
    async fn start_redis(
        &mut self,
        fsync: Fsync,
        primary: Option<SocketAddr>,
    ) -> Result<(), LaunchError> {
        let (name, address) = (format!("redis{}", self.redis.len()), free_address().await?);
        std::fs::create_dir(self.folder.path().join(&name))?;
        let mut recipe = redis::recipe(name, address, self.folder.path(), fsync);
        if let Some(primary) = primary {
            let words = ["--replicaof".to_owned(), primary.ip().to_string()];
            recipe.arguments.extend(words.into_iter().chain([primary.port().to_string()]));
        }
        self.redis.push(Server { process: Launched::start(recipe)?, address });
        self.redis_ready(self.redis.len() - 1).await?;
        Ok(())
    }

    async fn redis_ready(&self, server: usize) -> Result<Duration, LaunchError> {
        let Server { process, address } = &self.redis[server];
        ready(process, || redis::is_ready(*address)).await
    }

    async fn start_haproxy(&mut self) -> Result<(), LaunchError> {
        let address = free_address().await?;
        let mut servers = String::new();
        for (index, node) in self.nodes.iter().enumerate() {
            let (public, check) = (node.public, node.internal.port());
            servers.push_str(&format!(
                "  server node{index} {public} check port {check} inter 500ms fall 2 rise 1\n"
            ));
        }
        let config = format!(
            "global\n  maxconn {PROXY_CONNECTIONS_MAX}\n\
             defaults\n  mode http\n  timeout connect 5s\n  timeout client 90s\n  timeout server 90s\n  timeout tunnel 1h\n  option redispatch\n  retries 3\n\
             listen clients\n  bind {address}\n  balance leastconn\n  option httpchk GET /readyz\n  http-check disable-on-404\n{servers}"
        );
        let file = self.folder.path().join("haproxy.cfg");
        std::fs::write(&file, config)?;
        let process = Launched::start(Recipe {
            name: "haproxy".to_owned(),
            program: "haproxy".into(),
            arguments: vec!["-db".to_owned(), "-f".to_owned(), file.display().to_string()],
            environment: Vec::new(),
            folder: self.folder.path().to_owned(),
        })?;
        // A path that every node answers on its public port.
        ready(&process, || is_ok(address, "/health")).await?;
        self.haproxy = Some((process, address));
        Ok(())
    }

    fn watch(&self) {
        let pids = self.nodes.iter().filter_map(|it| it.process.pid().ok()).collect();
        *self.watched.lock().unwrap_or_else(PoisonError::into_inner) = pids;
    }
}
