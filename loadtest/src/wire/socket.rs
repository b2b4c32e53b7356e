//! One Socket.IO connection over a WebSocket that is opened at once.
//!
//! Answers pings and notices a silent server; does not reconnect.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message, Utf8Bytes};

use crate::wire::packet::{self, Malformed, Packet, Trace};
use crate::wire::target::Target;

/// Small, because there are thousands of connections in the process.
const READ_BUFFER_BYTES: usize = 4 * 1024;

/// The largest message that the servers under test may send.
const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Time for one handshake; a server may hold one for a while during a storm before it answers.
const HANDSHAKE_MAX: Duration = Duration::from_secs(15);

/// Time for one write: a server that reads nothing for so long is as good as gone.
const WRITE_MAX: Duration = Duration::from_secs(20);

/// Why a connection is no more, or never was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SocketError {
    #[error("cannot connect: {0}")]
    Connect(#[from] std::io::Error),
    #[error("websocket failed: {0}")]
    WebSocket(#[from] Box<tungstenite::Error>),
    #[error("refused at connect: {0}")]
    Refused(String),
    #[error("the server closed the connection")]
    Closed,
    #[error("the server asked the client to stay away")]
    Disconnected,
    #[error("the server was silent or stopped reading")]
    Silent,
    #[error("{0}")]
    Malformed(#[from] Malformed),
}

impl From<tungstenite::Error> for SocketError {
    fn from(error: tungstenite::Error) -> Self {
        Self::WebSocket(Box::new(error))
    }
}

/// Where to connect, from where and as whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dial<'a> {
    pub(crate) target: Target,
    /// A loopback address.
    pub(crate) source: IpAddr,
    pub(crate) token: &'a str,
    /// What the connection before has left, if the server is to recover it.
    pub(crate) trace: Option<&'a Trace>,
    /// Bytes that the kernel may keep for a client that does not read; `None`: as it likes.
    pub(crate) receive_buffer: Option<u32>,
}

/// An open connection whose main namespace is connected.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: WebSocketStream<TcpStream>,
    silence_max: Duration,
    /// When the server counts as gone if it says nothing.
    silent_at: Instant,
    next_id: u64,
    /// The connection's private name, if the server gave one.
    pub(crate) pid: Option<String>,
}

impl Socket {
    /// Connects, gives the token and waits for the namespace.
    pub(crate) async fn connect(dial: Dial<'_>) -> Result<Self, SocketError> {
        // Boxed, because a handshake is large and lives only for a moment.
        timeout(HANDSHAKE_MAX, Box::pin(Self::handshake(dial)))
            .await
            .map_err(|_elapsed| SocketError::Silent)?
    }

    async fn handshake(dial: Dial<'_>) -> Result<Self, SocketError> {
        let tcp = TcpSocket::new_v4()?;
        if let Some(bytes) = dial.receive_buffer {
            tcp.set_recv_buffer_size(bytes)?;
        }
        tcp.bind(SocketAddr::new(dial.source, 0))?;
        let tcp = tcp.connect(dial.target.address).await?;
        tcp.set_nodelay(true)?;
        let url = format!("ws://{}/socket.io/?EIO=4&transport=websocket", dial.target.address);
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(MESSAGE_BYTES_MAX));
        let handshake = tokio_tungstenite::client_async_with_config(url, tcp, Some(config));
        let (stream, _response) = handshake.await?;
        let silence_max = HANDSHAKE_MAX;
        let silent_at = Instant::now() + silence_max;
        let mut socket = Self { stream, silence_max, silent_at, next_id: 0, pid: None };
        socket.enter(dial.token, dial.trace).await?;
        Ok(socket)
    }

    async fn enter(&mut self, token: &str, trace: Option<&Trace>) -> Result<(), SocketError> {
        loop {
            let text = self.next().await?;
            match Packet::parse(&text)? {
                Packet::Open(open) => {
                    self.silence_max =
                        Duration::from_millis(open.ping_interval.saturating_add(open.ping_timeout));
                    self.write(packet::connect(token, trace)).await?;
                }
                Packet::Connected { pid } => {
                    self.pid = pid.map(Cow::into_owned);
                    return Ok(());
                }
                Packet::ConnectError(why) => return Err(SocketError::Refused(why.to_owned())),
                Packet::Close
                | Packet::Ping
                | Packet::Disconnect
                | Packet::Event { .. }
                | Packet::Ack { .. }
                | Packet::Other => (),
            }
        }
    }

    /// The next text frame that is not a ping. May be dropped while it waits.
    pub(crate) async fn next(&mut self) -> Result<Utf8Bytes, SocketError> {
        loop {
            let frame = tokio::time::timeout_at(self.silent_at, self.stream.next())
                .await
                .map_err(|_elapsed| SocketError::Silent)?;
            self.silent_at = Instant::now() + self.silence_max;
            match frame {
                Some(Ok(Message::Text(text))) if text.as_str() == "2" => {
                    self.write(packet::PONG.to_owned()).await?;
                }
                Some(Ok(Message::Text(text))) if matches!(text.as_str(), "1" | "41") => {
                    let is_told = text.as_str() == "41";
                    let told =
                        if is_told { SocketError::Disconnected } else { SocketError::Closed };
                    return Err(told);
                }
                Some(Ok(Message::Text(text))) => return Ok(text),
                Some(Ok(Message::Close(_))) | None => return Err(SocketError::Closed),
                Some(Ok(
                    Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_),
                )) => (),
                Some(Err(error)) => return Err(error.into()),
            }
        }
    }

    /// An event that asks for nothing.
    pub(crate) async fn tell(&mut self, name: &str, argument: &str) -> Result<(), SocketError> {
        self.write(packet::event(name, argument)).await
    }

    /// A number for a question to come; the acknowledgement repeats it.
    pub(crate) fn number(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    /// An event that asks for an acknowledgement.
    pub(crate) async fn ask(
        &mut self,
        number: u64,
        name: &str,
        argument: &str,
    ) -> Result<(), SocketError> {
        self.write(packet::asking_event(number, name, argument)).await
    }

    async fn write(&mut self, text: String) -> Result<(), SocketError> {
        timeout(WRITE_MAX, self.stream.send(Message::text(text)))
            .await
            .map_err(|_elapsed| SocketError::Silent)??;
        Ok(())
    }

    /// Does not read for a while and then judges silence anew.
    pub(crate) fn forgive_silence(&mut self, lasting: Duration) {
        self.silent_at = Instant::now() + lasting + self.silence_max;
    }

    /// Cuts the transport without a word, as a lost network does.
    pub(crate) fn cut(self) {
        let tcp = self.stream.into_inner();
        // Zero linger answers the peer with a reset instead of a polite end.
        drop(socket2::SockRef::from(&tcp).set_linger(Some(Duration::ZERO)));
    }
}
