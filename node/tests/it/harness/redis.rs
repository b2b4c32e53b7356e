//! A `redis-server` of a test's own, on a unix socket.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::harness::process::{Process, free_address};
use crate::harness::{SOON, until};

#[derive(Debug)]
pub(crate) struct Redis {
    process: Process,
    socket: PathBuf,
    dir: PathBuf,
    /// Where replicas reach it.
    address: Option<SocketAddr>,
}

impl Redis {
    /// Starts one that keeps its files in `dir`, and waits until it answers.
    pub(crate) async fn start(dir: &Path) -> Self {
        Self::start_with(dir, None, &["--appendonly", "no"]).await
    }

    /// One that has on its disk whatever it has answered, and that replicas can follow.
    pub(crate) async fn durable(dir: &Path) -> Self {
        let kept = ["--appendonly", "yes", "--appendfsync", "always"];
        Self::start_with(dir, Some(free_address()), &kept).await
    }

    /// One that follows this one, once it has all that this one had when it was asked.
    pub(crate) async fn replica(&self) -> Self {
        let of = self.address.expect("it was started as a durable one");
        let dir = self.dir.join("replica");
        std::fs::create_dir(&dir).unwrap();
        let of = format!("{} {}", of.ip(), of.port());
        let follows = ["--appendonly", "no", "--replicaof", &of];
        let replica = Self::start_with(&dir, Some(free_address()), &follows).await;
        until("the replica follows", SOON, async || {
            replica.ask("INFO replication").await.contains("master_link_status:up")
        })
        .await;
        replica
    }

    async fn start_with(dir: &Path, address: Option<SocketAddr>, kept: &[&str]) -> Self {
        let process = launch(dir, address, kept);
        let (socket, dir) = (dir.join("redis.sock"), dir.to_owned());
        let redis = Self { process, socket, dir, address };
        until("redis answers", SOON, async || redis.answers().await).await;
        redis
    }

    /// Dies, at once.
    pub(crate) async fn die(&mut self) {
        self.process.signal(Signal::KILL);
        self.process.exited(SOON).await;
    }

    /// A durable one that has died comes back with all that it had.
    pub(crate) async fn return_durable(&mut self) {
        let kept = ["--appendonly", "yes", "--appendfsync", "always"];
        self.process = launch(&self.dir, self.address, &kept);
        until("redis answers", SOON, async || self.answers().await).await;
    }

    /// Sends a command in one line; answers what came back, as text.
    pub(crate) async fn ask(&self, command: &str) -> String {
        let mut stream = UnixStream::connect(&self.socket).await.unwrap();
        stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// As nodes are told of it.
    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// Stops the process where it stands; its clients stay connected and hear nothing.
    pub(crate) fn freeze(&self) {
        self.process.signal(Signal::STOP);
    }

    pub(crate) fn thaw(&self) {
        self.process.signal(Signal::CONT);
    }

    async fn answers(&self) -> bool {
        let Ok(mut stream) = UnixStream::connect(&self.socket).await else { return false };
        let mut answer = [0; 7];
        stream.write_all(b"PING\r\n").await.is_ok()
            && stream.read_exact(&mut answer).await.is_ok()
            && &answer == b"+PONG\r\n"
    }
}

fn launch(dir: &Path, address: Option<SocketAddr>, kept: &[&str]) -> Process {
    let mut command = Command::new("redis-server");
    match address {
        Some(address) => {
            command.arg("--bind").arg(address.ip().to_string());
            command.arg("--port").arg(address.port().to_string());
        }
        None => {
            command.args(["--port", "0"]);
        }
    }
    command.arg("--unixsocket").arg(dir.join("redis.sock")).arg("--dir").arg(dir);
    command.args(["--save", ""]).args(kept);
    Process::start("redis-server", &mut command, &dir.join("redis.log"))
}
