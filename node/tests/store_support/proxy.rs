//! Stands between a node and Redis, and makes connections silent that stay open.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use parlance::lifecycle::Lifecycle;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// Whether a connection's answers are swallowed.
type Silence = Arc<AtomicBool>;

#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) socket: PathBuf,
    subscribers: Arc<Mutex<Vec<Silence>>>,
    lifecycle: Lifecycle,
}

impl Proxy {
    pub(crate) fn start(target: &Path, socket: PathBuf) -> Self {
        let listener = UnixListener::bind(&socket).unwrap();
        let subscribers: Arc<Mutex<Vec<Silence>>> = Arc::default();
        let lifecycle = Lifecycle::default();
        let (seen, spawner, target) =
            (Arc::clone(&subscribers), lifecycle.clone(), target.to_owned());
        lifecycle.spawn("proxy", async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&target).await.unwrap();
                spawner.spawn("proxy connection", carry(client, server, Arc::clone(&seen)));
            }
        });
        Self { socket, subscribers, lifecycle }
    }

    /// From now on the open connections that have subscribed hear nothing, and stay open.
    pub(crate) fn silence_subscribers(&self) -> usize {
        let mut subscribers = self.subscribers.lock().unwrap();
        subscribers.drain(..).map(|silence| silence.store(true, Ordering::Relaxed)).count()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.lifecycle.stop_hard();
    }
}

async fn carry(mut client: UnixStream, mut server: UnixStream, seen: Arc<Mutex<Vec<Silence>>>) {
    let silence = Silence::default();
    let (mut up, mut down) = ([0; 16_384], [0; 16_384]);
    loop {
        tokio::select! {
            Ok(count) = client.read(&mut up) => {
                if up[..count].windows(9).any(|it| it == b"SUBSCRIBE") {
                    seen.lock().unwrap().push(Arc::clone(&silence));
                }
                if count == 0 || server.write_all(&up[..count]).await.is_err() {
                    return;
                }
            }
            Ok(count) = server.read(&mut down) => {
                if count == 0 {
                    return;
                }
                let is_silent = silence.load(Ordering::Relaxed);
                if !is_silent && client.write_all(&down[..count]).await.is_err() {
                    return;
                }
            }
            else => return,
        }
    }
}
