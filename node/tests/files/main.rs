//! Files in stores that are not ours: a bucket behind signatures, and a disk that is full.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod full;
mod s3;

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use parlance::blobs::Blobs;
use parlance::blobs::config::{Config, PublicUrl};
use parlance::domain::attachment::Upload;
use parlance::lifecycle::Lifecycle;
use parlance::secret::Secret;

fn open(config: &Config, lifecycle: &Lifecycle) -> Blobs {
    let links = (&Secret::new("s".to_owned()), PublicUrl::local(3000));
    Blobs::open(config, Path::new("/nowhere"), links, lifecycle.clone()).unwrap()
}

fn text(name: &str, bytes: usize) -> Upload {
    let data = STANDARD.encode(vec![b'a'; bytes]);
    Upload { name: name.to_owned(), media_type: "text/plain".to_owned(), data }
}
