//! The official JavaScript client, unchanged.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::server::{Server, echo};

/// A script of `tests/js` that prints one line for each thing that happens.
pub(crate) struct Script {
    lines: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Script {
    pub(crate) fn run(name: &str, arguments: &[&str]) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/js");
        let installed = folder.join("node_modules/socket.io-client");
        assert!(installed.is_dir(), "run `npm ci` in {} first", folder.display());
        let mut process = Command::new("node")
            .arg(folder.join("wire").join(name))
            .args(arguments)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node runs");
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { lines, _process: process }
    }

    pub(crate) async fn says(&mut self, expected: &str) {
        let line = timeout(Duration::from_secs(20), self.lines.next_line()).await;
        let line = line.unwrap_or_else(|_| panic!("nothing instead of {expected}"));
        assert_eq!(line.unwrap().as_deref(), Some(expected));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn default_websocket_and_polling_clients_keep_200_sends_in_order() {
    let server = Server::echo().await;
    for transports in ["polling,websocket", "websocket", "polling"] {
        let url = format!("http://{}", server.address);
        let mut script = Script::run("order.mjs", &[&url, transports, "20"]);
        script.says("20 clients, all in order").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_token_is_a_connect_error_and_other_namespaces_go_on() {
    let server = Server::echo().await;
    let url = format!("http://{}", server.address);
    for (transports, error) in [
        ("polling,websocket", "AUTH_REQUIRED undefined"),
        ("websocket", "Authentication required AUTH_REQUIRED"),
    ] {
        let mut script = Script::run("refused.mjs", &[&url, transports]);
        script.says("/ hello {\"known\":false}").await;
        script.says(&format!("/conversation connect_error {error} active=false")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_default_client_reconnects_when_its_node_leaves() {
    for transports in ["polling,websocket", "polling", "websocket"] {
        let tune = |config: &mut parlance::gateway::config::Config| config.drain.notice_seconds = 0;
        let (leaving, staying) = (Server::start(tune, echo).await, Server::start(tune, echo).await);
        let urls = [&leaving, &staying].map(|it| format!("http://{}", it.address));
        let mut script = Script::run("reconnect.mjs", &[&urls[0], &urls[1], transports]);
        script.says("connected").await;
        leaving.lifecycle.stop_soft();
        timeout(Duration::from_secs(8), leaving.gateway.drain()).await.expect("in time");
        script.says("disconnected, active=true").await;
        script.says("connected").await;
        assert_eq!((leaving.gateway.open_count(), staying.gateway.open_count()), (0, 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_messages_are_deflated_both_ways() {
    let server = Server::echo().await;
    let url = format!("http://{}", server.address);
    let mut script = Script::run("deflate.mjs", &[&url]);
    script.says("permessage-deflate true").await;
    script.says("true").await;
}
