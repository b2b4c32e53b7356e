//! A child process that never outlives its guard, and whose output is shown when its test fails.

use std::fs::{self, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::until;

/// How much of a log is shown: the last lines are the ones that explain a failure.
const LOG_LINES_SHOWN: usize = 60;

#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, writing all that it says to the end of the file `log`.
    pub(crate) fn start(name: &str, command: &mut Command, log: &Path) -> Self {
        let out = OpenOptions::new().create(true).append(true).open(log).unwrap();
        let err = out.try_clone().unwrap();
        let child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn();
        let child = child.unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Self { name: name.to_owned(), child, log: log.to_owned() }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end.
    pub(crate) async fn exited(&mut self, within: Duration) -> ExitStatus {
        let what = format!("{} ends", self.name);
        until(&what, within, async || !self.is_running()).await;
        self.child.wait().unwrap()
    }

    /// What it has written so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

impl Drop for Process {
    #[expect(clippy::print_stderr, reason = "the test runner shows it with the failed test")]
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let shown = &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..];
            eprintln!("--- last words of {}:\n{}", self.name, shown.join("\n"));
        }
    }
}

/// First of the ports that tests listen on: below those that the kernel gives to outgoing
/// connections, so nobody else takes one between the choice and its use.
const PORT_MIN: u16 = 20_000;
const PORTS: u16 = 12_000;

/// A free address on this machine, never given out twice by this process. Test processes that run
/// at the same time have a loopback address each.
pub(crate) fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let ip = Ipv4Addr::new(127, 100 + high % 64, middle, low);
    for _ in 0..PORTS {
        let port = PORT_MIN + NEXT.fetch_add(1, Ordering::Relaxed) % PORTS;
        let address = SocketAddr::from((ip, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no free port");
}
