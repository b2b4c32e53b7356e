//! Stands between a node and Redis, and makes connections silent that stay open.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use parlance::lifecycle::Lifecycle;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// Whether a connection's answers are swallowed.
type Silence = Arc<AtomicBool>;

/// What all connections obey.
#[derive(Debug, Default)]
struct Orders {
    subscribers: Mutex<Vec<Silence>>,
    /// Answers to the next calls that have a message in them, which Redis does not see.
    answers: Mutex<VecDeque<String>>,
}

#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) socket: PathBuf,
    orders: Arc<Orders>,
    lifecycle: Lifecycle,
}

impl Proxy {
    pub(crate) fn start(target: &Path, socket: PathBuf) -> Self {
        let listener = UnixListener::bind(&socket).unwrap();
        let orders: Arc<Orders> = Arc::default();
        let lifecycle = Lifecycle::default();
        let (given, spawner, target) = (Arc::clone(&orders), lifecycle.clone(), target.to_owned());
        lifecycle.spawn("proxy", async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&target).await.unwrap();
                spawner.spawn("proxy connection", carry(client, server, Arc::clone(&given)));
            }
        });
        Self { socket, orders, lifecycle }
    }

    /// From now on the open connections that have subscribed hear nothing, and stay open.
    pub(crate) fn silence_subscribers(&self) -> usize {
        let mut subscribers = self.orders.subscribers.lock().unwrap();
        subscribers.drain(..).map(|silence| silence.store(true, Ordering::Relaxed)).count()
    }

    /// The next calls that publish a message are answered with these errors, and not carried out.
    pub(crate) fn answer_messages(&self, errors: &[&str]) {
        let answers = errors.iter().map(|error| format!("-{error}\r\n"));
        self.orders.answers.lock().unwrap().extend(answers);
    }

    /// How many of these answers nobody has got yet.
    pub(crate) fn answers_left(&self) -> usize {
        self.orders.answers.lock().unwrap().len()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.lifecycle.stop_hard();
    }
}

async fn carry(mut client: UnixStream, mut server: UnixStream, orders: Arc<Orders>) {
    let silence = Silence::default();
    let (mut up, mut down) = ([0; 16_384], [0; 16_384]);
    loop {
        tokio::select! {
            Ok(count) = client.read(&mut up) => {
                let holds = |word: &[u8]| up[..count].windows(word.len()).any(|it| it == word);
                if holds(b"SUBSCRIBE") {
                    orders.subscribers.lock().unwrap().push(Arc::clone(&silence));
                }
                if holds(b"MessagePosted") {
                    let answer = orders.answers.lock().unwrap().pop_front();
                    if let Some(answer) = answer {
                        client.write_all(answer.as_bytes()).await.unwrap();
                        continue;
                    }
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
