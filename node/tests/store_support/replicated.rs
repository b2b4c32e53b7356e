//! Redis servers that replicate each other, and sentinels that watch them.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use parlance::store::config::{Config, Durability};
use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use crate::store_support::{PATIENCE, Redis, config_of};

/// How long a primary is silent before sentinels take it for dead.
const DOWN_AFTER: Duration = Duration::from_secs(1);

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
            // Over a connection of its own: sentinels end those of a server whose part they change.
            let answer = ask(self.port, &command.split(' ').collect::<Vec<_>>());
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

/// Three servers watched by three sentinels.
#[derive(Debug)]
pub(crate) struct Watched {
    /// The first is the primary at the start.
    pub(crate) servers: Vec<Server>,
    sentinels: Vec<Child>,
    ports: Vec<u16>,
    folder: tempfile::TempDir,
}

impl Watched {
    pub(crate) async fn start() -> Self {
        let primary = Server::start(&[]).await;
        let replicas = [primary.replica().await, primary.replica().await];
        let mut watched = Self {
            servers: [primary].into_iter().chain(replicas).collect(),
            sentinels: Vec::new(),
            ports: vec![free_port(), free_port(), free_port()],
            folder: tempfile::tempdir().unwrap(),
        };
        for port in watched.ports.clone() {
            watched.watch(port);
        }
        // Two more of each: then a failover can be agreed on.
        let known = "num-slaves 2 … num-other-sentinels 2";
        for port in &watched.ports {
            let words = ["num-slaves\n2\n", "num-other-sentinels\n2\n"];
            watched.until(known, || words.iter().all(|it| watched.state(*port).contains(it))).await;
        }
        watched
    }

    fn watch(&mut self, port: u16) {
        let config = self.folder.path().join(format!("{port}.conf"));
        let down_after_ms = DOWN_AFTER.as_millis();
        let primary = self.servers[0].port;
        let text = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor main 127.0.0.1 {primary} 2\n\
             sentinel down-after-milliseconds main {down_after_ms}\n\
             sentinel failover-timeout main 4000\n",
            self.folder.path().display(),
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new("redis-server");
        command.arg(&config).arg("--sentinel").stdout(Stdio::null());
        self.sentinels.push(command.spawn().expect("redis-server is installed"));
    }

    /// As nodes are told of it.
    pub(crate) fn durable(&self) -> Config {
        let [first, second, third] = self.ports[..] else { panic!("there are three sentinels") };
        durable(format!(
            "redis-sentinel://127.0.0.1:{first}?sentinelServiceName=main\
             &node=127.0.0.1:{second}&node=127.0.0.1:{third}"
        ))
    }

    /// Has the sentinels make another server the primary, though this one lives.
    pub(crate) fn fail_over(&self) {
        let answer = ask(self.ports[0], &["SENTINEL", "FAILOVER", "main"]);
        assert_eq!(answer.trim(), "OK");
    }

    /// The server that is the primary by the word of a sentinel.
    pub(crate) fn primary(&self) -> &Server {
        let address = ask(self.ports[0], &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main"]);
        let port: u16 = address.lines().nth(1).unwrap().parse().unwrap();
        self.servers.iter().find(|it| it.port == port).unwrap()
    }

    fn state(&self, sentinel: u16) -> String {
        ask(sentinel, &["SENTINEL", "MASTER", "main"])
    }

    /// Waits for what sentinels do. On a busy machine they rest for half a minute now and then.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let give_up = Instant::now() + 6 * PATIENCE;
        while !holds() {
            assert!(Instant::now() < give_up, "{what}");
            sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        for sentinel in &mut self.sentinels {
            drop(sentinel.kill());
            drop(sentinel.wait());
        }
    }
}

impl Server {
    pub(crate) fn kill(&self) {
        self.redis.signal(Signal::KILL);
    }
}

/// What a server answers, as `redis-cli` prints it; empty where it does not.
fn ask(port: u16, words: &[&str]) -> String {
    let output =
        Command::new("redis-cli").args(["-p", &port.to_string()]).args(words).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
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
