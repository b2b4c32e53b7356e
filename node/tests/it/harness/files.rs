//! Files of messages, as clients send and read them, and the folder in which nodes keep them.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::harness::cluster::Cluster;
use crate::harness::{SOON, until};

pub(crate) const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

pub(crate) fn file(name: &str, media_type: &str, bytes: &[u8]) -> Value {
    json!({ "name": name, "type": media_type, "data": STANDARD.encode(bytes) })
}

/// Waits until the store holds so many files.
pub(crate) async fn kept(cluster: &Cluster, count: usize) {
    let names = || fs::read_dir(cluster.files()).unwrap().count();
    until(&format!("{count} files are kept"), SOON, async || names() == count).await;
}

pub(crate) async fn download(url: &Value) -> reqwest::Response {
    reqwest::get(url.as_str().unwrap()).await.unwrap()
}
