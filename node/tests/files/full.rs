//! A disk that is full: a small one of the test's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use parlance::blobs::config::{Config, Place};
use parlance::domain::refusal::Refusal;
use parlance::lifecycle::Lifecycle;
use tempfile::TempDir;

use crate::{open, text};

/// A file system of one mebibyte in memory.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// Only root may mount; who is not root gets no test of this, and is told so.
    #[expect(clippy::print_stderr, reason = "a check that did not run must be seen")]
    fn mount() -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "parlance-test"])
            .arg(folder.path())
            .output()
            .unwrap();
        if mount.status.success() {
            return Some(Self(folder));
        }
        let cause = String::from_utf8_lossy(&mount.stderr);
        let in_ci = std::env::vars_os().any(|(name, _)| name == "CI");
        assert!(!in_ci, "a small disk cannot be mounted, which CI has to: {cause}");
        eprintln!("NOT TESTED: files on a full disk; run as root. {cause}");
        None
    }

    fn files(&self) -> PathBuf {
        self.0.path().join("files")
    }

    fn names(&self) -> usize {
        fs::read_dir(self.files()).unwrap().count()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg(self.0.path()).status().ok();
    }
}

fn config(folder: &Path) -> Config {
    Config { url: Some(Place::Folder(folder.to_owned())), ..Config::default() }
}

#[tokio::test]
async fn a_full_disk_refuses_the_message_and_keeps_nothing_of_it() {
    let Some(disk) = SmallDisk::mount() else { return };
    let lifecycle = Lifecycle::default();
    let blobs = open(&config(&disk.files()), &lifecycle);
    blobs.store(vec![text("fits.txt", 300_000)]).await.unwrap().keep();
    let uploads = vec![text("also fits.txt", 300_000), text("too much.txt", 900_000)];
    let refusal = blobs.store(uploads).await.unwrap_err();
    assert_eq!(refusal, Refusal::StorageFull);
    lifecycle.finished().await;
    assert_eq!(disk.names(), 1, "the first message's file, and nothing else");
    blobs.store(vec![text("fits again.txt", 300_000)]).await.unwrap().keep();
}
