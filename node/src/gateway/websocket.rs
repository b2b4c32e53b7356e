//! The lean lane: clients that open a WebSocket at once, for packets of Socket.IO or for envelopes.
//!
//! hyper reads the request and answers it; then the plain TCP stream is taken back, and one task a
//! connection reads and writes frames. A frame that many hear is encoded once, all that is ready is
//! written in one call, and an idle connection holds no buffers.

mod connection;
mod deflate;
mod envelopes;
mod farewell;
mod frame;
mod heart;
mod output;
mod partial;
mod space;
pub(super) mod untrusted;
mod writing;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{AppendHeaders, IntoResponse, Response};
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderValue, Method, StatusCode};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tracing::debug;
use tungstenite::handshake::derive_accept_key;

use crate::dialect::Venue;
use crate::gateway::config::Heartbeat;
use crate::gateway::credentials::Presented;
use crate::gateway::inside::Inside;
use crate::gateway::link::Place;
use crate::gateway::transport::Wire;
use crate::gateway::websocket::connection::Connection;
use crate::telemetry::audit::Caller;

/// The one version of the protocol.
const VERSION: HeaderValue = HeaderValue::from_static("13");

/// Characters of a key: sixteen bytes in base64.
const KEY_CHARS: usize = 24;

/// A namespace or path that is served.
#[derive(Debug)]
pub(super) struct Served {
    venue: Venue,
}

impl Served {
    fn new(venue: Venue) -> Arc<Self> {
        Arc::new(Self { venue })
    }
}

/// What the messages of a connection are.
#[derive(Debug, Clone)]
pub(super) enum Speech {
    /// Packets of Engine.IO: a client opens namespaces itself.
    Packets,
    /// Envelopes of the dialect that is spoken here.
    Envelopes(Arc<Served>),
}

/// What the connections of this lane share.
pub(super) struct Lane {
    inside: Arc<Inside>,
    served: Vec<Arc<Served>>,
    heartbeat: Heartbeat,
}

impl std::fmt::Debug for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lane").field("served", &self.served).finish_non_exhaustive()
    }
}

/// A client that the door has let in.
#[derive(Debug)]
pub(super) struct Visitor {
    /// Who it says it is.
    pub(super) caller: Arc<Caller>,
    /// What its request showed.
    pub(super) shown: Presented,
    /// What it speaks.
    pub(super) speech: Speech,
    /// Its place among open sessions.
    pub(super) _place: Place,
}

impl Lane {
    /// A lane that serves `venues`.
    #[must_use]
    pub(super) fn new(inside: Arc<Inside>, venues: Vec<Venue>, heartbeat: Heartbeat) -> Arc<Self> {
        let served = venues.into_iter().map(Served::new).collect();
        Arc::new(Self { inside, served, heartbeat })
    }

    /// What is spoken over a WebSocket that is opened at `path`, if envelopes are.
    pub(super) fn speech_at(&self, path: &str) -> Option<Speech> {
        let is_there = |it: &&Arc<Served>| matches!(&it.venue, Venue::Path(own) if **own == *path);
        self.served.iter().find(is_there).map(|it| Speech::Envelopes(Arc::clone(it)))
    }

    /// The Socket.IO namespace with this name.
    fn namespace(&self, name: &str) -> Option<&Arc<Served>> {
        let is_it =
            |it: &&Arc<Served>| matches!(&it.venue, Venue::Namespace(own) if **own == *name);
        self.served.iter().find(is_it)
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
        let offers = request.headers().get_all(SEC_WEBSOCKET_EXTENSIONS).into_iter();
        let may_deflate = offers.filter_map(|it| it.to_str().ok()).any(deflate::is_offered);
        let upgrade = hyper::upgrade::on(&mut request);
        let serve = serve(Arc::clone(self), visitor, may_deflate, upgrade);
        self.inside.lifecycle.spawn("websocket", serve);
        let headers = [
            (CONNECTION, HeaderValue::from_static("Upgrade")),
            (UPGRADE, HeaderValue::from_static("websocket")),
            (SEC_WEBSOCKET_ACCEPT, accept),
        ];
        let agreed = (SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static(deflate::AGREED));
        let agreed = AppendHeaders(may_deflate.then_some(agreed));
        (StatusCode::SWITCHING_PROTOCOLS, headers, agreed, Body::empty()).into_response()
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

async fn serve(lane: Arc<Lane>, visitor: Visitor, may_deflate: bool, upgrade: OnUpgrade) {
    match upgrade.await.map(Upgraded::downcast::<TokioIo<Wire>>) {
        Ok(Ok(parts)) => {
            let socket = parts.io.into_inner().into_socket();
            Connection::upgraded(lane, visitor, may_deflate, socket).run(parts.read_buf).await;
        }
        Ok(Err(_not_from_our_accept_loop)) => {}
        Err(error) => debug!(%error, "a connection was gone before it was a websocket"),
    }
}
