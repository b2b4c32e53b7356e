//! The lean lane: clients that open a WebSocket at once.
//!
//! hyper reads the request and answers it; then the plain TCP stream is taken back, and one task a
//! connection reads and writes frames. A frame that many hear is encoded once, all that is ready is
//! written in one call, and an idle connection holds no buffers.

mod connection;
mod farewell;
mod frame;
mod heart;
mod output;
mod space;

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderValue, Method, StatusCode};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tracing::debug;
use tungstenite::handshake::derive_accept_key;

use crate::auth::Credentials;
use crate::gateway::config::Heartbeat;
use crate::gateway::inside::Inside;
use crate::gateway::link::Place;
use crate::gateway::metrics::NamespaceMetrics;
use crate::gateway::transport::Wire;
use crate::gateway::websocket::connection::Connection;

/// The one version of the protocol.
const VERSION: HeaderValue = HeaderValue::from_static("13");

/// Characters of a key: sixteen bytes in base64.
const KEY_CHARS: usize = 24;

/// A namespace that is served.
#[derive(Debug)]
struct Served {
    path: Arc<str>,
    metrics: NamespaceMetrics,
}

/// What the connections of this lane share.
pub(super) struct Lane {
    inside: Arc<Inside>,
    namespaces: Vec<Served>,
    heartbeat: Heartbeat,
}

impl std::fmt::Debug for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lane").field("namespaces", &self.namespaces).finish_non_exhaustive()
    }
}

/// A client that the door has let in.
#[derive(Debug)]
pub(super) struct Visitor {
    /// Where it is.
    pub(super) address: IpAddr,
    /// The tokens of its request.
    pub(super) credentials: Credentials,
    /// Its place among open sessions.
    pub(super) _place: Place,
}

impl Lane {
    /// A lane that serves `paths`.
    #[must_use]
    pub(super) fn new(inside: Arc<Inside>, paths: &[Arc<str>], heartbeat: Heartbeat) -> Arc<Self> {
        let served = |path: &Arc<str>| Served {
            path: Arc::clone(path),
            metrics: NamespaceMetrics::new(path),
        };
        let namespaces = paths.iter().map(served).collect();
        Arc::new(Self { inside, namespaces, heartbeat })
    }

    /// Answers a request for a WebSocket; if it is granted, a task serves the connection.
    pub(super) fn open(self: &Arc<Self>, visitor: Visitor, mut request: Request) -> Response {
        if request.headers().get(SEC_WEBSOCKET_VERSION) != Some(&VERSION) {
            let version = [(SEC_WEBSOCKET_VERSION, VERSION)];
            return (StatusCode::UPGRADE_REQUIRED, version).into_response();
        }
        let Some(accept) = accept_key(&request) else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        let upgrade = hyper::upgrade::on(&mut request);
        let serve = serve(Arc::clone(self), visitor, upgrade);
        self.inside.lifecycle.spawn("websocket", serve);
        let headers = [
            (CONNECTION, HeaderValue::from_static("Upgrade")),
            (UPGRADE, HeaderValue::from_static("websocket")),
            (SEC_WEBSOCKET_ACCEPT, accept),
        ];
        (StatusCode::SWITCHING_PROTOCOLS, headers, Body::empty()).into_response()
    }
}

/// What proves that the request's key was read; `None`: the request is malformed.
fn accept_key(request: &Request) -> Option<HeaderValue> {
    let key = request.headers().get(SEC_WEBSOCKET_KEY)?.as_bytes();
    if request.method() != Method::GET || key.len() != KEY_CHARS {
        return None;
    }
    HeaderValue::try_from(derive_accept_key(key)).ok()
}

async fn serve(lane: Arc<Lane>, visitor: Visitor, upgrade: OnUpgrade) {
    match upgrade.await.map(Upgraded::downcast::<TokioIo<Wire>>) {
        Ok(Ok(parts)) => {
            let socket = parts.io.into_inner().into_socket();
            Connection::upgraded(lane, visitor, socket).run(parts.read_buf).await;
        }
        Ok(Err(_not_from_our_accept_loop)) => {}
        Err(error) => debug!(%error, "a connection was gone before it was a websocket"),
    }
}
