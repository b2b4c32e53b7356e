//! A bucket, served by a program that checks every request's signature.
//!
//! The program is `s3s-fs`; `deploy/test` installs it. Its name is looked for in PATH and among the
//! tools of `deploy/test`.

use std::collections::BTreeMap;
use std::env::vars_os;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::StreamExt;
use parlance::blobs::Blob;
use parlance::blobs::config::{Config, Place};
use parlance::domain::refusal::{Outcome, Refusal};
use parlance::lifecycle::Lifecycle;
use parlance::secret::Secret;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::{open, text};

const ACCESS_KEY: &str = "parlance-test";
const SECRET_KEY: &str = "a secret that only the nodes know";

/// Longer than a busy machine needs to start a program.
const PATIENCE: Duration = Duration::from_secs(20);

struct Bucket {
    folder: TempDir,
    server: Child,
    port: u16,
}

impl Bucket {
    async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("files")).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Command::new(program())
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .args(["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY])
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("s3s-fs starts; `deploy/test` installs it");
        let give_up = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(Instant::now() < give_up, "s3s-fs does not listen");
            sleep(Duration::from_millis(20)).await;
        }
        Self { folder, server, port }
    }

    fn config(&self, secret_key: &str) -> Config {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        let aws = [
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", secret_key),
            ("AWS_PROFILE", "of another program"),
        ];
        let aws: BTreeMap<_, _> = aws
            .map(|(name, value)| (name.to_owned(), Secret::new(value.to_owned())))
            .into_iter()
            .collect();
        let place = Place::try_from("s3://files/some/prefix/".to_owned()).unwrap();
        Config { url: Some(place), aws, ..Config::default() }
    }

    /// The files below the prefix.
    fn names(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.folder.path().join("files/some/prefix")) else {
            return Vec::new();
        };
        let names = entries.map(|it| it.unwrap().file_name().into_string().unwrap());
        names.filter(|it| !it.starts_with('.')).collect()
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        self.server.kill().ok();
        self.server.wait().ok();
    }
}

fn program() -> PathBuf {
    let variable = |wanted: &str| vars_os().find(|it| it.0 == wanted).map(|it| PathBuf::from(it.1));
    let cache = variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|it| it.join(".cache")));
    let tools = variable("PARLANCE_TOOLS").or_else(|| cache.map(|it| it.join("parlance-tools")));
    let installed = tools.map(|it| it.join("bin/s3s-fs")).filter(|it| it.exists());
    installed.unwrap_or_else(|| "s3s-fs".into())
}

async fn read(blob: &Blob, range: Option<std::ops::Range<u64>>) -> usize {
    let pieces: Vec<_> = blob.read(range).await.unwrap().collect().await;
    pieces.into_iter().map(|it| it.unwrap().len()).sum()
}

#[tokio::test]
async fn files_are_kept_in_a_bucket_and_read_from_it() {
    let bucket = Bucket::start().await;
    let lifecycle = Lifecycle::default();
    let blobs = open(&bucket.config(SECRET_KEY), &lifecycle);
    let large = 5_000_000;
    let stored = blobs.store(vec![text("a.txt", 3), text("b.txt", large)]).await.unwrap();
    let attachments = stored.attachments().to_vec();
    stored.keep();
    assert_eq!(bucket.names().len(), 2);
    // Any node with the same settings finds it.
    let other = open(&bucket.config(SECRET_KEY), &lifecycle);
    let found = other.find(attachments[1].id).await.unwrap().unwrap();
    assert_eq!(found.size(), large as u64);
    assert_eq!((read(&found, None).await, read(&found, Some(7..1007)).await), (large, 1000));

    drop(blobs.store(vec![text("nobody keeps it.txt", 3)]).await.unwrap());
    lifecycle.finished().await;
    assert_eq!(bucket.names().len(), 2);
    fs::remove_dir_all(bucket.folder.path().join("files/some")).unwrap();
    assert!(other.find(attachments[1].id).await.unwrap().is_none());
}

#[tokio::test]
async fn a_wrong_signature_stores_nothing() {
    let bucket = Bucket::start().await;
    let lifecycle = Lifecycle::default();
    let blobs = open(&bucket.config("a guess"), &lifecycle);
    let refusal = blobs.store(vec![text("a.txt", 3)]).await.unwrap_err();
    assert_eq!(refusal, Refusal::Unavailable(Outcome::Refused));
    lifecycle.finished().await;
    assert!(bucket.names().is_empty());
}

#[tokio::test]
async fn a_bucket_that_is_away_refuses_the_message() {
    let mut bucket = Bucket::start().await;
    bucket.server.kill().unwrap();
    bucket.server.wait().unwrap();
    let lifecycle = Lifecycle::default();
    let blobs = open(&bucket.config(SECRET_KEY), &lifecycle);
    let began = Instant::now();
    let refusal = blobs.store(vec![text("a.txt", 3)]).await.unwrap_err();
    assert_eq!(refusal, Refusal::Unavailable(Outcome::Refused));
    assert!(began.elapsed() < PATIENCE, "a sender waited {:?}", began.elapsed());
}
