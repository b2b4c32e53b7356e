//! A `redis-server` of a test's own, on a unix socket.

use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::harness::process::Process;
use crate::harness::{SOON, until};

#[derive(Debug)]
pub(crate) struct Redis {
    process: Process,
    socket: PathBuf,
}

impl Redis {
    /// Starts one that keeps its files in `dir`, and waits until it answers.
    pub(crate) async fn start(dir: &Path) -> Self {
        let socket = dir.join("redis.sock");
        let mut command = Command::new("redis-server");
        command.arg("--port").arg("0").arg("--unixsocket").arg(&socket).arg("--dir").arg(dir);
        command.args(["--save", "", "--appendonly", "no"]);
        let process = Process::start("redis-server", &mut command, &dir.join("redis.log"));
        let redis = Self { process, socket };
        until("redis answers", SOON, async || redis.answers().await).await;
        redis
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
