//! The long-polling transport: one request waits for packets, others carry packets up.

use std::time::Duration;

use reqwest::{Client, Url};
use tokio::sync::mpsc;

use crate::harness::packet::Packet;

/// Stands between the packets of one request.
const SEPARATOR: char = '\u{1e}';

/// Longer than a server holds a request open between two of its pings.
const POLL_TIMEOUT: Duration = Duration::from_secs(100);

/// Opens a session at `url`, then moves packets until either side is gone.
pub(crate) async fn pump(
    http: Client,
    mut url: Url,
    mut bursts: mpsc::Receiver<Vec<String>>,
    packets: mpsc::Sender<String>,
) {
    let Some(opening) = get(&http, &url).await else { return };
    let Some(Packet::Open(handshake)) = Packet::parse(&opening, "/") else { return };
    let Some(sid) = handshake["sid"].as_str() else { return };
    url.query_pairs_mut().append_pair("sid", sid);
    if packets.send(opening).await.is_err() {
        return;
    }
    let write = async {
        while let Some(burst) = bursts.recv().await {
            let closing = burst.is_empty();
            let body = if closing { "1".to_owned() } else { burst.join(&SEPARATOR.to_string()) };
            let request = http.post(url.clone()).header("content-type", "text/plain;charset=UTF-8");
            match request.body(body).send().await {
                Ok(answer) if answer.status().is_success() && !closing => (),
                _ => return,
            }
        }
    };
    let read = async {
        while let Some(body) = get(&http, &url).await {
            // A poll that waits while its session ends is answered with nothing.
            if body.is_empty() {
                return;
            }
            for packet in body.split(SEPARATOR) {
                if packets.send(packet.to_owned()).await.is_err() {
                    return;
                }
            }
        }
    };
    tokio::select! {
        () = read => (),
        () = write => (),
    }
}

async fn get(http: &Client, url: &Url) -> Option<String> {
    let answer = http.get(url.clone()).timeout(POLL_TIMEOUT).send().await.ok()?;
    match answer.status().is_success() {
        true => answer.text().await.ok(),
        false => None,
    }
}
