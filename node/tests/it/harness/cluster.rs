//! Nodes of one cluster, with a Redis of their own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::api::{self, Api};
use crate::harness::client::Client;
use crate::harness::dial::Dial;
use crate::harness::process::{Process, free_address};
use crate::harness::proxy::Proxy;
use crate::harness::redis::Redis;
use crate::harness::{SOON, token, until};

/// How a cluster is to be.
#[derive(Debug)]
pub(crate) struct Plan {
    nodes: usize,
    proxied: bool,
    durable: bool,
    settings: Vec<(&'static str, String)>,
}

/// Running nodes. Fields end in this order: nodes, Redis, files.
pub(crate) struct Cluster {
    nodes: Vec<Node>,
    pub(crate) redis: Redis,
    settings: Vec<(&'static str, String)>,
    dir: TempDir,
}

struct Node {
    process: Process,
    public: SocketAddr,
    internal: SocketAddr,
    proxy: Option<Proxy>,
}

impl Plan {
    pub(crate) fn nodes(nodes: usize) -> Self {
        Self { nodes, proxied: false, durable: false, settings: Vec::new() }
    }

    /// Each node reaches Redis through a proxy of its own.
    pub(crate) fn proxied(self) -> Self {
        Self { proxied: true, ..self }
    }

    /// Redis keeps what it has on its disk, and can have replicas.
    pub(crate) fn durable(self) -> Self {
        Self { durable: true, ..self }
    }

    /// Every node gets this setting, as an environment variable.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.settings.push((name, value.to_owned()));
        self
    }

    /// Nodes serve the server API, and only rooms that were made can be joined.
    pub(crate) fn with_api(self) -> Self {
        let plan = self.with("PARLANCE_API__KEYS", api::KEYS).with("PARLANCE_API__FEED", "true");
        plan.with("PARLANCE_ROOMS__POLICY", "members")
    }

    /// A room that nobody has made is made by its first join.
    pub(crate) fn open(self) -> Self {
        self.with("PARLANCE_ROOMS__POLICY", "open")
    }

    /// Connections may send as fast as they can.
    pub(crate) fn unlimited(self) -> Self {
        self.with("PARLANCE_LIMITS__EVENTS_PER_SECOND", "0")
    }

    /// Starts all of it, and waits until every node is ready.
    pub(crate) async fn start(self) -> Cluster {
        let dir = TempDir::new().unwrap();
        let redis = match self.durable {
            true => Redis::durable(dir.path()).await,
            false => Redis::start(dir.path()).await,
        };
        let mut nodes = Vec::new();
        for index in 0..self.nodes {
            let proxy = match self.proxied {
                true => Some(Proxy::start(redis.socket()).await),
                false => None,
            };
            let url = proxy.as_ref().map_or_else(|| redis.url(), Proxy::url);
            let (public, internal) = (free_address(), free_address());
            let mut command = command(dir.path(), &self.settings);
            command.env("PARLANCE_LISTEN", public.to_string());
            command.env("PARLANCE_PUBLIC_URL", format!("http://{public}"));
            command.env("PARLANCE_INTERNAL_LISTEN", internal.to_string());
            command.env("PARLANCE_REDIS__URL", url);
            let log = dir.path().join(format!("node-{index}.log"));
            let process = Process::start(&format!("node {index}"), &mut command, &log);
            nodes.push(Node { process, public, internal, proxy });
        }
        let mut cluster = Cluster { nodes, redis, settings: self.settings, dir };
        for index in 0..self.nodes {
            cluster.ready(index).await;
        }
        cluster
    }
}

/// A node that knows nothing of the environment that the tests run in.
fn command(dir: &Path, settings: &[(&'static str, String)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_parlance"));
    command.current_dir(dir).env_clear();
    command.env("PARLANCE_REDIS__PREFIX", "it");
    command.env("PARLANCE_AUTH__JWT_SECRET", token::SECRET);
    command.env("PARLANCE_ROOMS__POLICY", "open");
    command.env("PARLANCE_LOG__LEVEL", "info,parlance=debug");
    // All clients of the tests have one address.
    command.env("PARLANCE_LIMITS__CONNECTIONS_PER_ADDRESS", "0");
    command.envs(settings.iter().map(|(name, value)| (*name, value)));
    command
}

impl Cluster {
    /// A cluster of two plain nodes.
    pub(crate) async fn of_two() -> Self {
        Plan::nodes(2).start().await
    }

    /// A node's public address.
    pub(crate) fn address(&self, node: usize) -> SocketAddr {
        self.nodes[node].public
    }

    /// A way to connect to a node.
    pub(crate) fn dial(&self, node: usize) -> Dial {
        Dial::to(self.nodes[node].public)
    }

    /// A user's connection over a WebSocket.
    pub(crate) async fn connect(&self, node: usize, user: &str) -> Client {
        self.dial(node).user(user).connect().await
    }

    /// A user's connection that has joined `room`.
    pub(crate) async fn join(&self, node: usize, user: &str, room: &str) -> Client {
        let mut client = self.connect(node, user).await;
        client.ok("conversation:join", json!(room)).await;
        client
    }

    pub(crate) fn proxy(&self, node: usize) -> &Proxy {
        self.nodes[node].proxy.as_ref().expect("the plan said proxied")
    }

    /// The server API of a node; the plan must have said [`Plan::with_api`].
    pub(crate) fn api(&self, node: usize) -> Api {
        Api::at(self.nodes[node].internal)
    }

    pub(crate) fn public(&self, node: usize) -> SocketAddr {
        self.nodes[node].public
    }

    pub(crate) fn signal(&self, node: usize, signal: Signal) {
        self.nodes[node].process.signal(signal);
    }

    pub(crate) fn is_running(&mut self, node: usize) -> bool {
        self.nodes[node].process.is_running()
    }

    pub(crate) async fn exited(&mut self, node: usize, within: Duration) -> ExitStatus {
        self.nodes[node].process.exited(within).await
    }

    /// Waits until a node says that it is ready.
    pub(crate) async fn ready(&mut self, node: usize) {
        until("the node is ready", SOON, async || {
            assert!(self.nodes[node].process.is_running(), "node {node} ended");
            self.readiness(node).await == Some(200)
        })
        .await;
    }

    /// The status of `/readyz`; `None`: no answer.
    pub(crate) async fn readiness(&self, node: usize) -> Option<u16> {
        reqwest::get(self.internal(node, "/readyz")).await.ok().map(|it| it.status().as_u16())
    }

    /// Where a page of a node's internal port is.
    pub(crate) fn internal(&self, node: usize, path: &str) -> String {
        format!("http://{}{path}", self.nodes[node].internal)
    }

    /// What a public path of a node answers: status and JSON.
    pub(crate) async fn get(&self, node: usize, path: &str) -> (u16, Value) {
        let url = format!("http://{}{path}", self.nodes[node].public);
        let answer = reqwest::get(url).await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    /// What a node has logged so far.
    pub(crate) fn log(&self, node: usize) -> String {
        self.nodes[node].process.log()
    }

    /// Where the nodes keep files.
    pub(crate) fn files(&self) -> PathBuf {
        self.dir.path().join("data/files")
    }

    /// Starts a node that has ended, at the same addresses.
    pub(crate) async fn restart(&mut self, node: usize) {
        assert!(!self.is_running(node), "node {node} still runs");
        let mut command = command(self.dir.path(), &self.settings);
        let it = &mut self.nodes[node];
        command.env("PARLANCE_LISTEN", it.public.to_string());
        command.env("PARLANCE_PUBLIC_URL", format!("http://{}", it.public));
        command.env("PARLANCE_INTERNAL_LISTEN", it.internal.to_string());
        command.env(
            "PARLANCE_REDIS__URL",
            it.proxy.as_ref().map_or_else(|| self.redis.url(), Proxy::url),
        );
        let log = self.dir.path().join(format!("node-{node}.log"));
        it.process = Process::start(&format!("node {node}"), &mut command, &log);
        self.ready(node).await;
    }
}
