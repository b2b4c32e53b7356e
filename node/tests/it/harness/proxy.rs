//! A proxy between one node and Redis that passes everything on, except what it is told to spoil:
//! publications one by one, a direction, or all connections.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::unix;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use crate::harness::resp::{Publication, publication, value_len};

/// What becomes of a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Pass,
    Drop,
    Double,
    /// It comes later, and what follows overtakes it.
    Delay(Duration),
    /// It changes places with the next publication that passes.
    Swap,
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    ToRedis,
    ToNode,
}

type Rule = Box<dyn FnMut(&Publication<'_>) -> Fate + Send>;

/// What all connections of a proxy obey.
struct Orders {
    rule: Mutex<Rule>,
    spoiled: Mutex<Spoiled>,
    /// Rises when all connections are to be cut.
    cuts: watch::Sender<u64>,
    /// The Redis to which new connections lead.
    redis: Mutex<PathBuf>,
    /// Whether bytes to Redis, and bytes to the node, are held back.
    held: [watch::Sender<bool>; 2],
}

/// How many publications met which fate: a test counts only if its nemesis has acted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spoiled {
    pub(crate) dropped: usize,
    pub(crate) doubled: usize,
    pub(crate) delayed: usize,
    pub(crate) swapped: usize,
}

pub(crate) struct Proxy {
    address: SocketAddr,
    orders: Arc<Orders>,
}

impl Proxy {
    /// Listens on a free port, in front of the Redis at `socket`.
    pub(crate) async fn start(socket: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let orders = Arc::new(Orders {
            rule: Mutex::new(Box::new(|_| Fate::Pass)),
            spoiled: Mutex::default(),
            cuts: watch::Sender::new(0),
            redis: Mutex::new(socket.to_owned()),
            held: [watch::Sender::new(false), watch::Sender::new(false)],
        });
        tokio::spawn(accept(listener, Arc::clone(&orders)));
        Self { address, orders }
    }

    /// As the node is told of it.
    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// From now on `rule` decides over each publication to the node.
    pub(crate) fn spoil<F>(&self, rule: F)
    where
        F: FnMut(&Publication<'_>) -> Fate + Send + 'static,
    {
        *self.orders.rule.lock().unwrap() = Box::new(rule);
    }

    pub(crate) fn spoiled(&self) -> Spoiled {
        *self.orders.spoiled.lock().unwrap()
    }

    /// Closes every connection; new ones are served.
    pub(crate) fn cut(&self) {
        self.orders.cuts.send_modify(|it| *it += 1);
    }

    /// New connections lead to this Redis, and there are no others any more.
    pub(crate) fn lead_to(&self, socket: &Path) {
        socket.clone_into(&mut self.orders.redis.lock().unwrap());
        self.cut();
    }

    /// Holds bytes back, or lets them go again.
    pub(crate) fn hold(&self, direction: Direction, held: bool) {
        self.orders.held[direction as usize].send_replace(held);
    }
}

impl Orders {
    fn judge(&self, publication: &Publication<'_>) -> Fate {
        let fate = (self.rule.lock().unwrap())(publication);
        let mut spoiled = self.spoiled.lock().unwrap();
        match fate {
            Fate::Pass => (),
            Fate::Drop => spoiled.dropped += 1,
            Fate::Double => spoiled.doubled += 1,
            Fate::Delay(_) => spoiled.delayed += 1,
            Fate::Swap => spoiled.swapped += 1,
        }
        fate
    }

    async fn let_go(&self, direction: Direction) {
        let mut held = self.held[direction as usize].subscribe();
        held.wait_for(|held| !held).await.ok();
    }
}

async fn accept(listener: TcpListener, orders: Arc<Orders>) {
    while let Ok((node, _)) = listener.accept().await {
        let socket = orders.redis.lock().unwrap().clone();
        // A Redis that is away looks like one that closes at once.
        if let Ok(redis) = UnixStream::connect(&socket).await {
            tokio::spawn(serve(node, redis, Arc::clone(&orders)));
        }
    }
}

/// One connection, until either end closes it or it is cut.
async fn serve(node: TcpStream, redis: UnixStream, orders: Arc<Orders>) {
    node.set_nodelay(true).ok();
    let mut cuts = orders.cuts.subscribe();
    let (from_node, to_node) = node.into_split();
    let (from_redis, to_redis) = redis.into_split();
    let (frames, waiting) = mpsc::channel(1_024);
    tokio::select! {
        _ = cuts.changed() => (),
        _ = ask(from_node, to_redis, &orders) => (),
        _ = answer(from_redis, frames, &orders) => (),
        _ = write(waiting, to_node, &orders) => (),
    }
}

async fn ask(
    mut from: OwnedReadHalf,
    mut to: unix::OwnedWriteHalf,
    orders: &Orders,
) -> io::Result<()> {
    let mut bytes = BytesMut::with_capacity(64 * 1_024);
    while from.read_buf(&mut bytes).await? != 0 {
        orders.let_go(Direction::ToRedis).await;
        to.write_all_buf(&mut bytes).await?;
    }
    Ok(())
}

async fn answer(
    mut from: unix::OwnedReadHalf,
    frames: mpsc::Sender<Bytes>,
    orders: &Orders,
) -> io::Result<()> {
    let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
    let mut bytes = BytesMut::with_capacity(64 * 1_024);
    let mut swapped: Option<Bytes> = None;
    while from.read_buf(&mut bytes).await? != 0 {
        while let Some(length) = value_len(&bytes).expect("Redis speaks RESP3") {
            let frame = bytes.split_to(length).freeze();
            let Some(publication) = publication(&frame) else {
                frames.send(frame).await.map_err(gone)?;
                continue;
            };
            match orders.judge(&publication) {
                Fate::Drop => continue,
                Fate::Pass => frames.send(frame).await.map_err(gone)?,
                Fate::Double => {
                    frames.send(frame.clone()).await.map_err(gone)?;
                    frames.send(frame).await.map_err(gone)?;
                }
                Fate::Delay(time) => {
                    let frames = frames.clone();
                    tokio::spawn(async move {
                        sleep(time).await;
                        frames.send(frame).await.ok();
                    });
                    continue;
                }
                Fate::Swap if swapped.is_none() => {
                    swapped = Some(frame);
                    continue;
                }
                Fate::Swap => frames.send(frame).await.map_err(gone)?,
            }
            if let Some(frame) = swapped.take() {
                frames.send(frame).await.map_err(gone)?;
            }
        }
    }
    Ok(())
}

async fn write(
    mut frames: mpsc::Receiver<Bytes>,
    mut to: OwnedWriteHalf,
    orders: &Orders,
) -> io::Result<()> {
    while let Some(mut frame) = frames.recv().await {
        orders.let_go(Direction::ToNode).await;
        to.write_all_buf(&mut frame).await?;
    }
    Ok(())
}

#[tokio::test]
async fn publications_meet_their_fates_and_all_else_passes() {
    use tokio::time::timeout;

    use crate::harness::SOON;
    use crate::harness::redis::Redis;

    let dir = tempfile::TempDir::new().unwrap();
    let redis = Redis::start(dir.path()).await;
    let proxy = Proxy::start(redis.socket()).await;
    let mut fates = [
        Fate::Pass,
        Fate::Drop,
        Fate::Double,
        Fate::Swap,
        Fate::Pass,
        Fate::Delay(Duration::from_millis(200)),
        Fate::Pass,
    ]
    .into_iter();
    proxy.spoil(move |_| fates.next().unwrap());

    let mut subscriber = TcpStream::connect(proxy.address).await.unwrap();
    subscriber.write_all(b"HELLO 3\r\nSUBSCRIBE ch\r\n").await.unwrap();
    let mut publisher = UnixStream::connect(redis.socket()).await.unwrap();
    let mut bytes = BytesMut::new();
    let mut heard = Vec::new();
    let mut values = 0;
    let listen = async {
        while heard.len() < 7 {
            assert_ne!(subscriber.read_buf(&mut bytes).await.unwrap(), 0);
            while let Some(length) = value_len(&bytes).unwrap() {
                let value = bytes.split_to(length);
                values += 1;
                if values == 2 {
                    for n in b'1'..=b'7' {
                        publisher
                            .write_all(&[b"PUBLISH ch ", &[n][..], b"\r\n"].concat())
                            .await
                            .unwrap();
                    }
                }
                heard.extend(publication(&value).map(|it| it.payload[0] - b'0'));
            }
        }
    };
    timeout(SOON, listen).await.unwrap();
    assert_eq!(heard, [1, 3, 3, 5, 4, 7, 6]);
    assert_eq!(values, 2 + heard.len(), "the answers to HELLO and SUBSCRIBE have passed");
    let spoiled = proxy.spoiled();
    assert_eq!((spoiled.dropped, spoiled.doubled, spoiled.delayed, spoiled.swapped), (1, 1, 1, 1));

    proxy.cut();
    assert_eq!(timeout(SOON, subscriber.read_buf(&mut bytes)).await.unwrap().unwrap(), 0);
}
