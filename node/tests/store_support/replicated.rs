//! Redis servers that replicate each other.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

use parlance::store::config::{Config, Durability};
use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use crate::store_support::{PATIENCE, Redis, config_of};

/// A redis-server that others can reach over TCP.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) redis: Redis,
    pub(crate) port: u16,
}

impl Server {
    pub(crate) async fn start(options: &[&str]) -> Self {
        let port = free_port();
        let text = port.to_string();
        let mut all = vec!["--port", &text, "--repl-diskless-sync-delay", "0"];
        all.extend(options);
        Self { redis: Redis::start_with(&all).await, port }
    }

    /// A replica that has all that this server has.
    pub(crate) async fn replica(&self) -> Self {
        let replica = Self::start(&["--replicaof", "127.0.0.1", &self.port.to_string()]).await;
        let port = format!("port={},state=online", replica.port);
        self.says("INFO replication", &port).await;
        replica
    }

    /// Waits until the answer to a command has this text in it.
    pub(crate) async fn says(&self, command: &str, wanted: &str) {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let answer: String = self.redis.ask(command).await;
            if answer.contains(wanted) {
                return;
            }
            assert!(Instant::now() < give_up, "{command} does not say {wanted}: {answer}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A primary with one replica, at an address that leads to whichever is the primary.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) primary: Server,
    pub(crate) replica: Server,
    folder: tempfile::TempDir,
}

impl Pair {
    pub(crate) async fn start() -> Self {
        let primary = Server::start(&[]).await;
        let replica = primary.replica().await;
        let folder = tempfile::tempdir().unwrap();
        symlink(primary.redis.socket(), folder.path().join("redis.sock")).unwrap();
        Self { primary, replica, folder }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    pub(crate) fn durable(&self) -> Config {
        durable(format!("unix://{}", self.socket().display()))
    }

    /// The replica takes over and gets a replica of its own, which is answered.
    pub(crate) async fn promote(&self) -> Server {
        let _: String = self.replica.redis.ask("REPLICAOF NO ONE").await;
        let turned = self.folder.path().join("turned");
        symlink(self.replica.redis.socket(), &turned).unwrap();
        std::fs::rename(turned, self.socket()).unwrap();
        self.replica.replica().await
    }
}

impl Server {
    pub(crate) fn kill(&self) {
        self.redis.signal(Signal::KILL);
    }
}

fn durable(url: String) -> Config {
    Config { durability: Durability::Durable, ..config_of(url) }
}

/// A port that nothing uses now, below those that the kernel gives to outgoing connections.
fn free_port() -> u16 {
    loop {
        let (_, random, ..) = uuid::Uuid::new_v4().as_fields();
        let port = 20_000 + random % 10_000;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
