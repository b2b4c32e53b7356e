//! Redis as the faults need it: started, asked a few things, broken on purpose.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::cluster::launched::{LaunchError, Recipe};

/// How many servers there are, and who watches them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// One
    Single,
    /// A primary and two replicas behind three sentinels
    Sentinel,
}

/// How often Redis writes its log to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Fsync {
    /// Before each answer: a restart loses nothing
    Always,
    /// Once a second
    Everysec,
}

impl Fsync {
    fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Everysec => "everysec",
        }
    }
}

/// Time for an answer, above the longest pause that a fault makes.
const ASK_MAX: Duration = Duration::from_secs(60);

/// The longest answer that is read.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// How to start one; what it keeps lies in a folder of its name, which is there already.
pub(crate) fn recipe(name: String, address: SocketAddr, folder: &Path, fsync: Fsync) -> Recipe {
    let port = address.port().to_string();
    let folder_name = folder.join(&name).display().to_string();
    let arguments = [
        ["--port", &port],
        ["--bind", "127.0.0.1"],
        ["--dir", &folder_name],
        ["--save", ""],
        ["--appendonly", "yes"],
        ["--appendfsync", fsync.as_str()],
        ["--client-output-buffer-limit", "pubsub 256mb 64mb 60"],
        ["--enable-debug-command", "local"],
    ];
    Recipe {
        name,
        program: "redis-server".into(),
        arguments: arguments.concat().into_iter().map(str::to_owned).collect(),
        environment: Vec::new(),
        folder: folder.to_owned(),
    }
}

/// An answer of one line or one text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Text(String),
    Number(i64),
    Error(String),
}

/// Asks over a connection of its own.
pub(crate) async fn ask(address: SocketAddr, words: &[&str]) -> Result<Answer, LaunchError> {
    timeout(ASK_MAX, try_ask(address, words))
        .await
        .map_err(|_elapsed| LaunchError::Redis("no answer".to_owned()))?
}

async fn try_ask(address: SocketAddr, words: &[&str]) -> Result<Answer, LaunchError> {
    let mut tcp = BufReader::new(TcpStream::connect(address).await?);
    let mut request = format!("*{}\r\n", words.len());
    for word in words {
        request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    tcp.write_all(request.as_bytes()).await?;
    let mut line = String::new();
    tcp.read_line(&mut line).await?;
    let odd = || LaunchError::Redis(format!("answers {line:?}"));
    let rest = line.get(1..).ok_or_else(odd)?.trim_end();
    match line.as_bytes()[0] {
        b'+' => Ok(Answer::Text(rest.to_owned())),
        b'-' => Ok(Answer::Error(rest.to_owned())),
        b':' => rest.parse().map(Answer::Number).map_err(|_error| odd()),
        b'$' => {
            let bytes: usize = rest.parse().map_err(|_error| odd())?;
            let mut text = vec![0; bytes.min(ANSWER_BYTES_MAX)];
            tcp.read_exact(&mut text).await?;
            Ok(Answer::Text(String::from_utf8_lossy(&text).into_owned()))
        }
        _ => Err(odd()),
    }
}

/// What has to be done, and answers OK.
pub(crate) async fn order(address: SocketAddr, words: &[&str]) -> Result<(), LaunchError> {
    let answer = ask(address, words).await?;
    if answer == Answer::Text("OK".to_owned()) {
        return Ok(());
    }
    Err(LaunchError::Redis(format!("{} answers {answer:?}", words.join(" "))))
}

/// Whether it serves; one that still loads its log does not.
pub(crate) async fn is_ready(address: SocketAddr) -> bool {
    matches!(ask(address, &["PING"]).await, Ok(Answer::Text(text)) if text == "PONG")
}

/// What `INFO` says under a name.
pub(crate) async fn info(address: SocketAddr, name: &str) -> Result<String, LaunchError> {
    let none = || LaunchError::Redis(format!("tells no {name}"));
    match ask(address, &["INFO"]).await? {
        Answer::Text(info) => {
            let fields = info.lines().filter_map(|it| it.split_once(':'));
            let found = fields.into_iter().find(|(field, _)| *field == name);
            found.map(|(_, value)| value.trim().to_owned()).ok_or_else(none)
        }
        Answer::Number(_) | Answer::Error(_) => Err(none()),
    }
}
