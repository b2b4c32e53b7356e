//! Takes TCP connections and speaks HTTP/1.1 on them, with a bound on everything a peer can do
//! before it is known: its number, its headers, and the time that they may take.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing::{debug, warn};

use crate::gateway::metrics::outbound_bytes;
use crate::gateway::transport::{Transport, Wire};
use crate::lifecycle::Lifecycle;

/// How long the head of a request may take, and how long a connection may wait for its next one.
const HEADER_READ_MAX: Duration = Duration::from_secs(10);

/// Bytes of a request's head: a token in a header and another in a cookie fit. More than 100
/// header lines are refused by hyper.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Unacknowledged bytes, or a peer that reads nothing at all, end a connection after this time.
const USER_TIMEOUT: Duration = Duration::from_secs(20);

/// First probe of a silent connection, and the time between further ones.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Bytes that the kernel keeps for a slow peer: beyond, it waits in the outbox, which is counted.
const SEND_BUFFER_BYTES: usize = 64 * 1024;

/// Pause after a failed accept: no file descriptor is free, and asking at once would only burn.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Told to a connection beyond the bound.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// A bound listener.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    places: Arc<Semaphore>,
    kill: CancellationToken,
    outbound_bytes: metrics::Counter,
}

impl Listener {
    /// Binds `address`. At most `transports_max` connections are open at once; `kill` ends all.
    ///
    /// # Errors
    /// The address is taken or not this machine's.
    pub async fn bind(
        address: SocketAddr,
        transports_max: usize,
        kill: CancellationToken,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let places = Arc::new(Semaphore::new(transports_max.min(Semaphore::MAX_PERMITS)));
        let outbound_bytes = outbound_bytes();
        Ok(Self { listener, places, kill, outbound_bytes })
    }

    /// The address that was bound, with its port.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves `router` until the hard stop: a draining node still answers probes and sessions.
    pub async fn serve(self, router: Router, lifecycle: Lifecycle) {
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => self.take(stream, peer, &router, &lifecycle),
                Err(error) => {
                    warn!(%error, "accepting a connection failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn take(&self, stream: TcpStream, peer: SocketAddr, router: &Router, lifecycle: &Lifecycle) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            // Whether it fits into the empty send buffer is the peer's luck; it is closed anyway.
            let _told = stream.try_write(FULL).is_ok();
            return;
        };
        if let Err(error) = tune(&stream) {
            debug!(%error, "a connection was gone before it was served");
            return;
        }
        let transport = Arc::new(Transport::new(peer.ip(), self.kill.child_token()));
        let wire = Wire::new(stream, Arc::clone(&transport), self.outbound_bytes.clone(), place);
        lifecycle.spawn("connection", serve_http(wire, transport, router.clone()));
    }
}

/// Sets what the kernel has to know before the first byte.
fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)
}

async fn serve_http(wire: Wire, transport: Arc<Transport>, router: Router) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Arc::clone(&transport));
        request.extensions_mut().insert(ConnectInfo(transport.peer));
        answer(router.clone(), request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(wire), service)
        .with_upgrades();
    if let Err(error) = connection.await {
        debug!(%error, "a connection ended early");
    }
}

async fn answer(router: Router, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    router.oneshot(request.map(Body::new)).await
}
