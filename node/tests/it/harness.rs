//! What the scenarios are made of: processes, a proxy that misbehaves on purpose, wire clients.

pub(crate) mod api;
pub(crate) mod application;
pub(crate) mod client;
pub(crate) mod cluster;
pub(crate) mod dial;
pub(crate) mod envelope;
pub(crate) mod envelopes;
pub(crate) mod files;
pub(crate) mod issuer;
pub(crate) mod journal;
pub(crate) mod official;
pub(crate) mod packet;
pub(crate) mod polling;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod redis;
pub(crate) mod resp;
pub(crate) mod token;
pub(crate) mod websocket;

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Longer than anything takes that is promised to be quick, on a machine that is busy with other
/// tests. Promises with a figure are held against that figure instead.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// What a promised time may take on a small shared machine.
pub(crate) fn allowed(promised: Duration) -> Duration {
    promised.mul_f64(1.5)
}

/// Asks again and again until the answer is yes.
pub(crate) async fn until<F>(what: &str, within: Duration, mut holds: F)
where
    F: AsyncFnMut() -> bool,
{
    let deadline = Instant::now() + within;
    while !holds().await {
        assert!(Instant::now() < deadline, "{what}: not within {within:?}");
        sleep(Duration::from_millis(20)).await;
    }
}
