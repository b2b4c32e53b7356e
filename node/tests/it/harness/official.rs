//! The official JavaScript client as a transport: a process that takes and gives packets as lines.

use std::path::Path;
use std::process::Stdio;

use reqwest::Url;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;
use tokio::sync::mpsc;

/// Carries packets between a client of the tests and the official one, until either ends.
pub(crate) async fn pump(
    url: Url,
    transports: &'static str,
    mut bursts: mpsc::Receiver<Vec<String>>,
    packets: mpsc::Sender<String>,
) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/js");
    let installed = folder.join("node_modules/socket.io-client");
    assert!(installed.is_dir(), "run `npm ci` in {} first", folder.display());
    let mut process = Command::new("node")
        .arg(folder.join("wire/bridge.mjs"))
        .args([url.as_str(), transports])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = process.stdin.take();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    loop {
        tokio::select! {
            line = lines.next_line() => match line.unwrap() {
                Some(line) => packets.send(line).await.unwrap(),
                None => return,
            },
            burst = bursts.recv(), if stdin.is_some() => match burst {
                Some(burst) if !burst.is_empty() => {
                    let lines = burst.join("\n") + "\n";
                    stdin.as_mut().unwrap().write_all(lines.as_bytes()).await.unwrap();
                }
                // The end of its input tells the process to leave.
                _ => stdin = None,
            },
        }
    }
}
