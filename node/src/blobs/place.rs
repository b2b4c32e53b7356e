//! The object store behind a place.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, absolute};
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::prefix::PrefixStore;
use object_store::{ClientOptions, ObjectStore, RetryConfig};

use crate::blobs::config::Place;
use crate::secret::Secret;

/// How long a bucket may say nothing. Not how long a transfer may take: readers may be slow.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// How long a bucket may take to be reached.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// A sender waits for its message, so what does not work soon has failed.
const RETRIES_MAX: usize = 2;
const RETRY_MAX: Duration = Duration::from_secs(10);

/// The store of a place. Nothing is read, written or asked yet.
pub(super) fn store(
    place: &Place,
    aws: &BTreeMap<String, Secret<String>>,
) -> Result<Arc<dyn ObjectStore>, object_store::Error> {
    match place {
        Place::Folder(folder) => {
            let folder = Key::from_absolute_path(absolute_of(folder)?)?;
            Ok(Arc::new(PrefixStore::new(LocalFileSystem::new().with_fsync(true), folder)))
        }
        Place::Bucket { name, prefix } => {
            let bucket = bucket(name, aws).build()?;
            Ok(Arc::new(PrefixStore::new(bucket, Key::parse(prefix)?)))
        }
    }
}

/// Makes the folder, for this user alone.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn absolute_of(folder: &Path) -> Result<std::path::PathBuf, object_store::Error> {
    absolute(folder)
        .map_err(|error| object_store::Error::Generic { store: "file", source: Box::new(error) })
}

fn bucket(name: &str, aws: &BTreeMap<String, Secret<String>>) -> AmazonS3Builder {
    let options = ClientOptions::new()
        .with_timeout_disabled()
        .with_read_timeout(SILENCE_MAX)
        .with_connect_timeout(CONNECT_MAX);
    let retry = RetryConfig {
        max_retries: RETRIES_MAX,
        retry_timeout: RETRY_MAX,
        ..RetryConfig::default()
    };
    let mut builder = AmazonS3Builder::new().with_client_options(options).with_retry(retry);
    for (variable, value) in aws {
        // Other programs' variables are in the same environment.
        if let Ok(key) = variable.to_ascii_lowercase().parse() {
            builder = builder.with_config(key, value.expose());
            if variable.starts_with("AWS_ENDPOINT_URL") && value.expose().starts_with("http://") {
                builder = builder.with_allow_http(true); // whoever writes it means it
            }
        }
    }
    builder.with_bucket_name(name)
}
