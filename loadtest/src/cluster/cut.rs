//! A wire between a node and Redis that can be cut, in either direction.
//!
//! A cut is silent, like a lost network: connections stay open and nothing comes through. What
//! waits is delivered when the cut is over.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Bytes moved at once.
const CHUNK_BYTES: usize = 16 * 1024;

/// Which directions let bytes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) to_redis: bool,
    pub(crate) to_node: bool,
}

impl Flow {
    pub(crate) const OPEN: Self = Self { to_redis: true, to_node: true };
}

#[derive(Debug, Clone, Copy)]
enum Direction {
    ToRedis,
    ToNode,
}

impl Direction {
    fn is_open(self, flow: Flow) -> bool {
        match self {
            Self::ToRedis => flow.to_redis,
            Self::ToNode => flow.to_node,
        }
    }
}

/// The wire; dropping it closes every connection through it.
#[derive(Debug)]
pub(crate) struct Wire {
    /// Where the node finds Redis.
    pub(crate) address: SocketAddr,
    flow: watch::Sender<Flow>,
    held: Arc<AtomicU64>,
    _tasks: JoinSet<()>,
}

impl Wire {
    pub(crate) async fn lay(redis: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (flow, flows) = watch::channel(Flow::OPEN);
        let held = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, redis, flows, Arc::clone(&held)));
        Ok(Self { address, flow, held, _tasks: tasks })
    }

    pub(crate) fn set(&self, flow: Flow) {
        self.flow.send_replace(flow);
    }

    /// How many pieces have been held back by cuts so far.
    pub(crate) fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }
}

async fn accept(
    listener: TcpListener,
    redis: SocketAddr,
    flow: watch::Receiver<Flow>,
    held: Arc<AtomicU64>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((node, _)) = accepted {
                let (flow, held) = (flow.clone(), Arc::clone(&held));
                connections.spawn(connect(node, redis, flow, held));
            },
            // Only clears away what has ended.
            Some(_) = connections.join_next() => (),
        }
    }
}

async fn connect(
    node: TcpStream,
    redis: SocketAddr,
    flow: watch::Receiver<Flow>,
    held: Arc<AtomicU64>,
) {
    let Ok(redis) = TcpStream::connect(redis).await else { return };
    // Without it the wire would only be slower.
    drop((node.set_nodelay(true), redis.set_nodelay(true)));
    let (from_node, to_node) = node.into_split();
    let (from_redis, to_redis) = redis.into_split();
    let there = Lane { direction: Direction::ToRedis, flow: flow.clone(), held: Arc::clone(&held) };
    let back = Lane { direction: Direction::ToNode, flow, held };
    tokio::select! {
        () = there.carry(from_node, to_redis) => (),
        () = back.carry(from_redis, to_node) => (),
    }
}

struct Lane {
    direction: Direction,
    flow: watch::Receiver<Flow>,
    held: Arc<AtomicU64>,
}

impl Lane {
    /// Moves bytes until either end is gone.
    async fn carry(mut self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut chunk = vec![0; CHUNK_BYTES];
        while let Ok(bytes @ 1..) = from.read(&mut chunk).await {
            if !self.direction.is_open(*self.flow.borrow()) {
                self.held.fetch_add(1, Ordering::Relaxed);
            }
            let direction = self.direction;
            if self.flow.wait_for(|it| direction.is_open(*it)).await.is_err() {
                return;
            }
            if to.write_all(&chunk[..bytes]).await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_cut_holds_back_and_loses_nothing() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let wire = Wire::lay(server.local_addr().unwrap()).await.unwrap();
        let mut client = TcpStream::connect(wire.address).await.unwrap();
        let (mut served, _) = server.accept().await.unwrap();
        let mut byte = [0];
        client.write_all(b"a").await.unwrap();
        served.read_exact(&mut byte).await.unwrap();
        wire.set(Flow { to_redis: false, to_node: true });
        client.write_all(b"b").await.unwrap();
        served.write_all(b"c").await.unwrap();
        // The other direction is the marker: it came through while this one was held.
        client.read_exact(&mut byte).await.unwrap();
        assert_eq!(&byte, b"c");
        while wire.held() == 0 {
            tokio::task::yield_now().await;
        }
        let waited = timeout(Duration::from_millis(20), served.read(&mut byte)).await;
        assert!(waited.is_err());
        wire.set(Flow::OPEN);
        served.read_exact(&mut byte).await.unwrap();
        assert_eq!(&byte, b"b");
    }
}
