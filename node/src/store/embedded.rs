//! The private Redis of a node that was given none.
//!
//! A `redis-server` from PATH on a unix socket in the data folder. A small shell stands between:
//! it holds one end of a pipe, and when the other end closes, because the node stopped Redis or
//! because the node is gone, killed included, it ends Redis within a bounded time.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use crate::store::config::Durability;

/// Longest path of a unix socket that every system takes.
const SOCKET_PATH_BYTES_MAX: usize = 103;

/// A large append-only file takes this long to load.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Longer than the shell leaves Redis to end by itself.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);

/// How long the Redis of a node that was killed may still hold the folder.
const LOCK_TIMEOUT: Duration = Duration::from_secs(15);

const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// What the shell says when there is no such program.
const STATUS_NOT_FOUND: i32 = 127;

/// What would end the path in an address, or mean something else there.
const NOT_IN_PATHS: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'?').add(b'#');

/// The last bytes of the log that a failed start quotes.
const LOG_TAIL_BYTES: usize = 600;

/// `$@`: the command of Redis. Reading the pipe ends when the node lets go of it.
const WATCHDOG: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- &
redis=$!
{
    read -r _ <&3
    kill -TERM "$redis"
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        sleep 1
        kill -0 "$redis" || exit 0
    done
    kill -KILL "$redis"
} 2>/dev/null >/dev/null &
watchdog=$!
wait "$redis"
status=$?
kill "$watchdog" 2>/dev/null
exit "$status"
"#;

/// Why there is no private Redis.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The program is missing.
    #[error(
        "redis-server is not installed: install it (sudo apt-get install redis-server), or set \
         redis.url to a Redis that runs"
    )]
    Missing,
    /// Another node lives there.
    #[error(
        "another node uses the private Redis in {}: stop it, or give this node another data_dir",
        .0.display()
    )]
    InUse(PathBuf),
    /// The system does not take such a long name for a socket.
    #[error("the path {} is too long for a socket: choose a shorter data_dir", .0.display())]
    PathTooLong(PathBuf),
    /// It ended instead of answering.
    #[error("redis-server ended at once: {0}")]
    Ended(String),
    /// It runs, and does not answer.
    #[error("redis-server does not answer after {} s", START_TIMEOUT.as_secs())]
    Silent,
    /// The folder or a process could not be made.
    #[error("cannot start redis-server in {}: {error}", folder.display())]
    Io {
        /// Where.
        folder: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// A running private Redis. Dropping it stops Redis too, without waiting.
#[derive(Debug)]
pub struct EmbeddedRedis {
    shell: Child,
    socket: PathBuf,
}

impl EmbeddedRedis {
    /// Starts Redis in the folder `redis` of `data_dir`, and waits until it answers.
    ///
    /// # Errors
    /// The program is missing, another node uses the folder, or Redis did not come up.
    pub async fn start(data_dir: &Path, durability: Durability) -> Result<Self, StartError> {
        let io = |error: io::Error| StartError::Io { folder: data_dir.to_owned(), error };
        let folder = std::path::absolute(data_dir.join("redis")).map_err(io)?;
        let socket = folder.join("redis.sock");
        if SOCKET_PATH_BYTES_MAX < socket.as_os_str().as_bytes().len() {
            return Err(StartError::PathTooLong(socket));
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(io)?;
        let log_path = folder.join("redis.log");
        let log = claim(&log_path, &folder).await?;
        // What an earlier life left; Redis would take its place anyway, but later than we ask.
        match fs::remove_file(&socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
            Ok(()) | Err(_) => {}
        }
        let shell = command(&folder, &socket, durability, log).map_err(io)?.spawn().map_err(io)?;
        let mut redis = Self { shell, socket };
        redis.answers(&log_path).await?;
        info!(redis.socket = %redis.socket.display(), "private redis is ready");
        Ok(redis)
    }

    /// The address for `redis.url`.
    #[must_use]
    pub fn url(&self) -> String {
        let path = self.socket.as_os_str().as_bytes();
        format!("unix://{}", percent_encode(path, NOT_IN_PATHS))
    }

    /// Lets Redis write what it has and end, and waits for it.
    pub async fn stop(mut self) {
        drop(self.shell.stdin.take());
        match timeout(STOP_TIMEOUT, self.shell.wait()).await {
            Ok(Ok(_)) => info!("private redis has ended"),
            Ok(Err(error)) => warn!(error = %error, "cannot wait for the private redis"),
            Err(_) => warn!("private redis did not end in time"),
        }
    }

    /// Waits for the first answer.
    async fn answers(&mut self, log: &Path) -> Result<(), StartError> {
        let deadline = Instant::now() + START_TIMEOUT;
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.shell.try_wait() {
                if status.code() == Some(STATUS_NOT_FOUND) {
                    return Err(StartError::Missing);
                }
                return Err(StartError::Ended(tail(log)));
            }
            if is_answering(&self.socket).await {
                return Ok(());
            }
            sleep(POLL_INTERVAL).await;
        }
        Err(StartError::Silent)
    }
}

/// Opens the log of Redis and locks it. The lock belongs to the open file, which shell and Redis
/// inherit: as long as either lives, whatever became of its node, nobody else gets the folder.
async fn claim(log: &Path, folder: &Path) -> Result<File, StartError> {
    let io = |error: io::Error| StartError::Io { folder: folder.to_owned(), error };
    let file = OpenOptions::new().create(true).append(true).open(log).map_err(io)?;
    let deadline = Instant::now() + LOCK_TIMEOUT;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                sleep(POLL_INTERVAL).await;
            }
            Err(TryLockError::WouldBlock) => return Err(StartError::InUse(folder.to_owned())),
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
    }
    file.set_len(0).map_err(io)?; // one life's log is enough
    Ok(file)
}

fn command(folder: &Path, socket: &Path, durability: Durability, log: File) -> io::Result<Command> {
    let fsync = match durability {
        Durability::Fast => "everysec",
        Durability::Durable => "always",
    };
    let mut command = Command::new("sh");
    command.args(["-c", WATCHDOG, "parlance-redis", "redis-server"]);
    command.args(["--port", "0", "--unixsocketperm", "700", "--daemonize", "no"]);
    command.arg("--unixsocket").arg(socket).arg("--dir").arg(folder);
    command.args(["--appendonly", "yes", "--appendfsync", fsync, "--save", ""]);
    // A log that loses entries silently is worse than one that refuses them.
    command.args(["--maxmemory-policy", "noeviction"]);
    command.args(["--client-output-buffer-limit", "pubsub", "256mb", "64mb", "60"]);
    command.stdin(Stdio::piped()).stderr(log.try_clone()?).stdout(log);
    // Ctrl-C goes to every process of the terminal's group, and Redis must outlive the drain.
    command.process_group(0);
    Ok(command)
}

/// Whether Redis takes commands: while it loads its file it answers with an error.
async fn is_answering(socket: &Path) -> bool {
    let ask = async {
        let mut stream = UnixStream::connect(socket).await?;
        stream.write_all(b"PING\r\n").await?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await?;
        io::Result::Ok(answer)
    };
    matches!(timeout(Duration::from_secs(1), ask).await, Ok(Ok(answer)) if &answer == b"+PONG")
}

/// The end of the log, on one line.
fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let from = text.len().saturating_sub(LOG_TAIL_BYTES);
    let text = String::from_utf8_lossy(&text[from..]);
    text.lines().map(str::trim).filter(|it| !it.is_empty()).collect::<Vec<_>>().join(" | ")
}

#[cfg(test)]
mod tests {
    use fred::types::config::ServerConfig;
    use rustix::process::{Pid, Signal, kill_process, test_kill_process};
    use tempfile::TempDir;

    use super::*;
    use crate::secret::Secret;
    use crate::store::client;

    async fn ask(redis: &EmbeddedRedis, command: &str) -> String {
        let mut stream = UnixStream::connect(&redis.socket).await.unwrap();
        stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn pid_of(redis: &EmbeddedRedis) -> Pid {
        let info = ask(redis, "INFO server").await;
        let line = info.lines().find_map(|it| it.strip_prefix("process_id:")).unwrap();
        Pid::from_raw(line.trim().parse().unwrap()).unwrap()
    }

    async fn until_gone(pid: Pid) {
        let gone = async {
            while test_kill_process(pid).is_ok() {
                sleep(POLL_INTERVAL).await;
            }
        };
        timeout(Duration::from_secs(10), gone).await.expect("redis ends with its node");
    }

    #[tokio::test]
    async fn what_was_written_is_there_after_a_restart() {
        let folder = TempDir::new().unwrap();
        let redis = EmbeddedRedis::start(folder.path(), Durability::Fast).await.unwrap();
        assert!(ask(&redis, "SET k v").await.starts_with("+OK"));
        let policy = ask(&redis, "CONFIG GET maxmemory-policy").await;
        assert!(policy.contains("noeviction"), "{policy}");
        let buffers = ask(&redis, "CONFIG GET client-output-buffer-limit").await;
        assert!(buffers.contains("pubsub 268435456 67108864 60"), "{buffers}");
        let pid = pid_of(&redis).await;
        redis.stop().await;
        assert!(test_kill_process(pid).is_err(), "redis outlived stop()");

        let redis = EmbeddedRedis::start(folder.path(), Durability::Fast).await.unwrap();
        assert!(ask(&redis, "GET k").await.contains('v'));
        redis.stop().await;
    }

    #[tokio::test]
    async fn the_disk_is_waited_for_where_that_is_asked() {
        for (durability, fsync) in [(Durability::Fast, "everysec"), (Durability::Durable, "always")]
        {
            let folder = TempDir::new().unwrap();
            let redis = EmbeddedRedis::start(folder.path(), durability).await.unwrap();
            let setting = ask(&redis, "CONFIG GET appendfsync").await;
            assert!(setting.contains(fsync), "{setting}");
            redis.stop().await;
        }
    }

    #[tokio::test]
    async fn redis_ends_when_its_node_lets_go_without_a_word() {
        let folder = TempDir::new().unwrap();
        let redis = EmbeddedRedis::start(folder.path(), Durability::Fast).await.unwrap();
        let pid = pid_of(&redis).await;
        drop(redis); // what the system does to the pipe when a node is killed
        // The next start waits for the old life to let go of the folder, its socket included.
        let redis = EmbeddedRedis::start(folder.path(), Durability::Fast).await.unwrap();
        until_gone(pid).await;
        redis.stop().await;
    }

    #[tokio::test]
    async fn a_redis_that_died_leaves_nothing_in_the_way() {
        let folder = TempDir::new().unwrap();
        let mut redis = EmbeddedRedis::start(folder.path(), Durability::Fast).await.unwrap();
        kill_process(pid_of(&redis).await, Signal::KILL).unwrap();
        timeout(Duration::from_secs(10), redis.shell.wait()).await.unwrap().unwrap();
        assert!(redis.socket.exists());
        EmbeddedRedis::start(folder.path(), Durability::Fast).await.unwrap().stop().await;
    }

    #[tokio::test]
    async fn the_address_leads_to_the_socket_whatever_the_folder_is_called() {
        let folder = TempDir::new().unwrap();
        let odd = folder.path().join("my data? 100%20 é#");
        let redis = EmbeddedRedis::start(&odd, Durability::Fast).await.unwrap();
        let config = client::parse_url(&Secret::new(redis.url())).unwrap();
        assert_eq!(config.server, ServerConfig::new_unix_socket(&redis.socket));
        redis.stop().await;
    }

    #[tokio::test]
    async fn a_folder_has_one_node() {
        let folder = TempDir::new().unwrap();
        let redis = EmbeddedRedis::start(folder.path(), Durability::Fast).await.unwrap();
        tokio::time::pause(); // the wait for the lock is fifteen seconds
        let second = EmbeddedRedis::start(folder.path(), Durability::Fast).await;
        assert!(matches!(second, Err(StartError::InUse(_))), "{second:?}");
        tokio::time::resume();
        redis.stop().await;
    }

    #[tokio::test]
    async fn a_start_that_cannot_work_says_why() {
        let folder = TempDir::new().unwrap();
        let long = folder.path().join("x".repeat(100));
        let error = EmbeddedRedis::start(&long, Durability::Fast).await.unwrap_err();
        assert!(matches!(error, StartError::PathTooLong(_)), "{error}");

        fs::create_dir_all(folder.path().join("redis/appendonlydir")).unwrap();
        let broken = folder.path().join("redis/appendonlydir/appendonly.aof.manifest");
        fs::write(broken, "nonsense\n").unwrap();
        let error = EmbeddedRedis::start(folder.path(), Durability::Fast).await.unwrap_err();
        assert!(matches!(&error, StartError::Ended(log) if log.contains("AOF")), "{error}");
    }
}
