//! A process that was started for the run and ends with it.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::wire::token::unix_seconds;

/// Time for a process to answer after it was started.
const READY_MAX: Duration = Duration::from_secs(30);
const READY_POLL: Duration = Duration::from_millis(50);

/// Time for one question to it.
const ASK_MAX: Duration = Duration::from_secs(2);

/// What is read of an answer.
const ANSWER_BYTES_MAX: u64 = 4096;

/// How to start a program, as often as it takes.
#[derive(Debug, Clone)]
pub(crate) struct Recipe {
    /// Its name in messages and of its log.
    pub(crate) name: String,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    /// Its whole environment, beside the search path.
    pub(crate) environment: Vec<(String, String)>,
    /// It works and writes its log here.
    pub(crate) folder: PathBuf,
}

impl Recipe {
    /// The same program with a clock that is so many seconds fast.
    ///
    /// # Errors
    /// The library that does it is not installed.
    pub(crate) fn at_a_wrong_time(mut self, seconds: i64) -> Result<Self, LaunchError> {
        let folders = std::fs::read_dir("/usr/lib")?.flatten().map(|it| it.path());
        let library = folders
            .map(|it| it.join("faketime/libfaketimeMT.so.1"))
            .find(|it| it.is_file())
            .ok_or_else(|| LaunchError::Missing("libfaketime".to_owned()))?;
        let settings = [
            ("LD_PRELOAD", library.display().to_string()),
            ("FAKETIME", format!("{seconds:+}s")),
            // Clocks that no administrator can set off stay as they are.
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ];
        self.environment.extend(settings.map(|(name, value)| (name.to_owned(), value)));
        Ok(self)
    }
}

/// A running process; dropping it kills the process.
#[derive(Debug)]
pub(crate) struct Launched {
    recipe: Recipe,
    child: Child,
}

/// Why something could not be started or stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LaunchError {
    #[error("cannot start {program}: {error}")]
    Start { program: String, error: std::io::Error },
    #[error("{0} did not get ready; the end of its log: {1}")]
    NotReady(String, String),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0} is not installed")]
    Missing(String),
    #[error("{0} is not there any more")]
    Gone(String),
    #[error("redis: {0}")]
    Redis(String),
}

impl Launched {
    pub(crate) fn start(recipe: Recipe) -> Result<Self, LaunchError> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(recipe.folder.join(format!("{}.log", recipe.name)))?;
        let mut command = Command::new(&recipe.program);
        command
            .args(&recipe.arguments)
            .env_clear()
            .envs(recipe.environment.iter().cloned())
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .current_dir(&recipe.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C in the terminal is for the load test, which then stops the rest in order.
            .process_group(0)
            .kill_on_drop(true);
        let program = recipe.program.display().to_string();
        let child = command.spawn().map_err(|error| LaunchError::Start { program, error })?;
        Ok(Self { recipe, child })
    }

    pub(crate) fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    pub(crate) fn pid(&self) -> Result<u32, LaunchError> {
        self.child.id().ok_or_else(|| LaunchError::Gone(self.recipe.name.clone()))
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<(), LaunchError> {
        let gone = || LaunchError::Gone(self.recipe.name.clone());
        let pid = i32::try_from(self.pid()?).ok().and_then(Pid::from_raw).ok_or_else(gone)?;
        kill_process(pid, signal).map_err(|error| LaunchError::Io(error.into()))
    }

    /// The letter of the process' state, as `/proc` has it: `T` is stopped.
    pub(crate) fn state(&self) -> Option<char> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()?)).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    }

    /// Waits for its end; `None`: it still runs after that time.
    pub(crate) async fn ended(&mut self, within: Duration) -> Option<ExitStatus> {
        timeout(within, self.child.wait()).await.ok()?.ok()
    }

    /// Kills it and waits until it is gone.
    pub(crate) async fn kill(&mut self) -> Result<ExitStatus, LaunchError> {
        self.child.start_kill()?;
        Ok(self.child.wait().await?)
    }

    /// Starts it again as it was.
    pub(crate) fn restart(&mut self) -> Result<(), LaunchError> {
        *self = Self::start(self.recipe.clone())?;
        Ok(())
    }

    /// The end of what it has written.
    pub(crate) fn last_words(&self) -> String {
        let log = self.recipe.folder.join(format!("{}.log", self.recipe.name));
        let log = std::fs::read_to_string(log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(3).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
    }
}

/// Waits until a question is answered well.
pub(crate) async fn ready<F, Q>(launched: &Launched, question: F) -> Result<Duration, LaunchError>
where
    F: Fn() -> Q,
    Q: Future<Output = bool>,
{
    let began = Instant::now();
    while began.elapsed() < READY_MAX {
        if timeout(ASK_MAX, question()).await.unwrap_or(false) {
            return Ok(began.elapsed());
        }
        sleep(READY_POLL).await;
    }
    Err(LaunchError::NotReady(launched.recipe.name.clone(), launched.last_words()))
}

/// Whether a page is answered with 200.
pub(crate) async fn is_ok(address: SocketAddr, path: &str) -> bool {
    get(address, path).await.is_ok_and(|it| it.get(8..12) == Some(" 200"))
}

/// By how many seconds a server's clock is fast, as it dates its answers.
pub(crate) async fn clock_offset(address: SocketAddr) -> Result<i64, LaunchError> {
    let answer = get(address, "/livez").await?;
    let fields = answer.lines().filter_map(|it| it.split_once(": "));
    let date = fields.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("date"));
    let date = date.and_then(|(_, date)| httpdate::parse_http_date(date).ok());
    let date = date.ok_or_else(|| LaunchError::Missing("a date in the answer".to_owned()))?;
    let date = date.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Ok(date.cast_signed() - unix_seconds().cast_signed())
}

/// The start of the answer for a page.
async fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut tcp = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    tcp.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    tcp.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// A loopback address with a port that is free now.
pub(crate) async fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0").await?.local_addr()
}

/// A program of this name beside this one, else wherever the search path has it.
pub(crate) fn beside(name: &str) -> PathBuf {
    let here = std::env::current_exe().ok();
    let beside = here.as_deref().and_then(Path::parent).map(|it| it.join(name));
    beside.filter(|it| it.is_file()).unwrap_or_else(|| PathBuf::from(name))
}
