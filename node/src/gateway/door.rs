//! What every request for a session passes before it is opened.
//!
//! New sessions are admitted from counts alone. Later requests are matched with their session,
//! because only here can be seen what a polling response carries and which connection an upgrade
//! is on.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, ORIGIN, RETRY_AFTER, SEC_WEBSOCKET_KEY, UPGRADE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body_util::BodyExt;
use serde::Deserialize;
use tokio::time::timeout;

use crate::gateway::address;
use crate::gateway::admission::{Admission, Denied};
use crate::gateway::config::Config;
use crate::gateway::credentials::{self, Presented};
use crate::gateway::link::{Link, Links};
use crate::gateway::meter;
use crate::gateway::metrics::Handshake;
use crate::gateway::origin::{self, Verdict};
use crate::gateway::socketio::engine::{ENGINE_PATH, Engine};
use crate::gateway::transport::Transport;
use crate::gateway::uploads::Uploads;
use crate::gateway::websocket::{Lane, Speech, Visitor};
use crate::lifecycle::Lifecycle;
use crate::session::peer::Held;
use crate::telemetry::audit::{self, Audit, Caller, Record, What};

/// How long a client may take to post its packets.
const POST_MAX: Duration = Duration::from_secs(30);

/// Longest CONNECT packet: a namespace and a token.
const CONNECT_BYTES_MAX: usize = 16 * 1024;

/// When a refused client may try again: other nodes exist, and this one will not change at once.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("5");

/// The engine's own words for a session that is not there.
const UNKNOWN_SESSION: &str = r#"{"code":1,"message":"Session ID unknown"}"#;

/// Everything that a request is judged by.
#[derive(Debug)]
pub(super) struct Door {
    /// The settings.
    pub(super) config: Config,
    /// The cookies that may hold a token.
    pub(super) cookies: Vec<String>,
    /// Told of everyone who is turned away.
    pub(super) audit: Audit,
    /// New sessions, counted.
    pub(super) admission: Admission,
    /// Open sessions.
    pub(super) links: Arc<Links>,
    /// Room for events with files.
    pub(super) uploads: Arc<Uploads>,
    /// What answers polling clients, also when they upgrade.
    pub(super) engine: Arc<Engine>,
    /// What answers those that open a WebSocket at once.
    pub(super) websocket: Arc<Lane>,
    /// Whether the node is leaving.
    pub(super) lifecycle: Lifecycle,
}

/// The members of a query that say whose request it is; read as the engine reads them.
struct Asked<'a> {
    session: Option<&'a str>,
    is_websocket: bool,
    is_version_4: bool,
    dialect: Option<&'a str>,
}

impl<'a> Asked<'a> {
    fn of(query: &'a str) -> Self {
        let member = |name: &str| query.split('&').find_map(|it| it.strip_prefix(name));
        let transport = member("transport=").and_then(|it| it.split('=').next());
        Self {
            session: member("sid="),
            is_websocket: transport == Some("websocket"),
            is_version_4: member("EIO=") == Some("4"),
            dialect: member("dialect="),
        }
    }
}

/// Handles one Socket.IO request.
pub(super) async fn pass(State(door): State<Arc<Door>>, request: Request) -> Response {
    let Some(transport) = request.extensions().get::<Arc<Transport>>().cloned() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response(); // not from our accept loop
    };
    let query = request.uri().query().unwrap_or_default().to_owned();
    let asked = Asked::of(&query);
    if asked.is_websocket && !asks_for_websocket(request.headers()) {
        return StatusCode::BAD_REQUEST.into_response();
    }
    match asked.session {
        None => door.open(&asked, &transport, request).await,
        Some(session) => match door.links.find(session) {
            Some(link) if asked.is_websocket => door.upgrade(&link, &transport, request).await,
            Some(link) => door.poll(&link, session, request).await,
            None => unknown_session(),
        },
    }
}

/// Takes the requests that open a WebSocket with envelopes, and lets all others pass.
pub(super) async fn pass_envelopes(
    State(door): State<Arc<Door>>,
    request: Request,
    next: Next,
) -> Response {
    let Some(speech) = door.websocket.speech_at(request.uri().path()) else {
        return next.run(request).await;
    };
    if !asks_for_websocket(request.headers()) {
        let page = next.run(request).await;
        let is_nowhere = page.status() == StatusCode::NOT_FOUND;
        let websocket = [(UPGRADE, HeaderValue::from_static("websocket"))];
        return if is_nowhere {
            (StatusCode::UPGRADE_REQUIRED, websocket, "a WebSocket is spoken here").into_response()
        } else {
            page
        };
    }
    match request.extensions().get::<Arc<Transport>>().cloned() {
        Some(transport) => door.open_envelopes(speech, &transport, request),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(), // not from our accept loop
    }
}

/// Counts how asking for a session came out.
fn counted(response: Response) -> Response {
    let is_open = matches!(response.status(), StatusCode::SWITCHING_PROTOCOLS | StatusCode::OK);
    if is_open { Handshake::Opened } else { Handshake::Malformed }.count();
    response
}

fn asks_for_websocket(headers: &HeaderMap) -> bool {
    headers.get(UPGRADE).is_some_and(|it| it.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

fn unknown_session() -> Response {
    let json = [(CONTENT_TYPE, "application/json")];
    (StatusCode::BAD_REQUEST, json, UNKNOWN_SESSION).into_response()
}

impl Door {
    /// A new session, if there is room for it.
    async fn open(
        &self,
        asked: &Asked<'_>,
        transport: &Transport,
        mut request: Request,
    ) -> Response {
        let headers = request.headers();
        let caller = self.caller(transport, headers);
        if let Some(denial) = self.denial(&caller) {
            return denial;
        }
        let credentials = credentials::of_request(headers, &self.cookies);
        let shown = Presented { credentials, dialect: asked.dialect.map(str::to_owned) };
        let response = if !asked.is_version_4 {
            StatusCode::BAD_REQUEST.into_response()
        } else if asked.is_websocket {
            self.open_websocket((caller, shown), Speech::Packets, request)
        } else {
            let link = self.links.open(caller, shown, &self.uploads);
            keep_what_the_engine_reads(request.headers_mut());
            request.extensions_mut().insert(Arc::clone(&link));
            let (response, body) = read_along(self.engine.call(request).await).await;
            if let Some(session) = session_id(&body) {
                self.links.name(&link, session);
            }
            response
        };
        counted(response)
    }

    /// A new WebSocket with envelopes, if there is room for it.
    fn open_envelopes(&self, speech: Speech, transport: &Transport, request: Request) -> Response {
        let headers = request.headers();
        let caller = self.caller(transport, headers);
        if let Some(denial) = self.denial(&caller) {
            return denial;
        }
        let credentials = credentials::of_request(headers, &self.cookies);
        let shown = Presented { credentials, dialect: None };
        counted(self.open_websocket((caller, shown), speech, request))
    }

    fn open_websocket(
        &self,
        (caller, shown): (Arc<Caller>, Presented),
        speech: Speech,
        request: Request,
    ) -> Response {
        let visitor = Visitor { caller, shown, speech, _place: self.links.enter() };
        self.websocket.open(visitor, request)
    }

    /// Who asks.
    fn caller(&self, transport: &Transport, headers: &HeaderMap) -> Arc<Caller> {
        let address = address::client(transport.peer, headers, &self.config.trusted_proxies);
        let said = |name| headers.get(name).and_then(|it| it.to_str().ok()).and_then(audit::text);
        Arc::new(Caller { address, agent: said(USER_AGENT), origin: said(ORIGIN) })
    }

    fn turned_away(&self, caller: Arc<Caller>, outcome: Handshake) {
        let caller = Some(caller);
        self.audit.tell(Record { caller, ..Record::of(What::Connect, outcome.as_str()) });
    }

    /// What a new session is told if it is not let in.
    fn denial(&self, caller: &Arc<Caller>) -> Option<Response> {
        let admitted = if self.lifecycle.is_stopping() {
            Err(Denied::Unavailable)
        } else {
            self.admission.admit(caller.address, self.links.open_count())
        };
        let (outcome, status, text) = match admitted {
            Ok(()) => return None,
            Err(Denied::TooMany) => (
                Handshake::AddressLimit,
                StatusCode::TOO_MANY_REQUESTS,
                "too many new connections from your address",
            ),
            Err(Denied::Unavailable) => (
                Handshake::Unavailable,
                StatusCode::SERVICE_UNAVAILABLE,
                "this node takes no new connections now",
            ),
        };
        outcome.count();
        self.turned_away(Arc::clone(caller), outcome);
        Some((status, [(RETRY_AFTER, RETRY_AFTER_SECONDS)], text).into_response())
    }

    /// A session that began with polling goes on as a WebSocket.
    async fn upgrade(
        &self,
        link: &Arc<Link>,
        transport: &Arc<Transport>,
        request: Request,
    ) -> Response {
        if link.is_websocket() {
            return StatusCode::BAD_REQUEST.into_response();
        }
        let response = self.engine.call(request).await;
        let is_upgraded = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        if is_upgraded && !link.becomes_websocket(transport) {
            return StatusCode::BAD_REQUEST.into_response();
        }
        response
    }

    /// Packets of a polling session, in either direction.
    async fn poll(&self, link: &Arc<Link>, session: &str, request: Request) -> Response {
        if request.method() == Method::POST {
            return self.post(link, session, request).await;
        }
        let (response, body) = read_along(self.engine.call(request).await).await;
        link.flow.written(meter::polled(&body));
        response
    }

    async fn post(&self, link: &Arc<Link>, session: &str, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let (body, held) = match timeout(POST_MAX, self.receive(link, body)).await {
            Ok(Ok(posted)) => posted,
            Ok(Err(status)) => {
                self.engine.end_polling(session).await;
                return status.into_response();
            }
            Err(_elapsed) => return StatusCode::REQUEST_TIMEOUT.into_response(),
        };
        if !may_connect(link, &body) {
            self.engine.end_polling(session).await;
            return StatusCode::BAD_REQUEST.into_response();
        }
        let response = self.engine.call(Request::from_parts(parts, Body::from(body))).await;
        drop(held);
        response
    }

    /// A posted body, within the bounds of what its client may send, and the room that it holds.
    async fn receive(&self, link: &Link, mut body: Body) -> Result<(Bytes, Held), StatusCode> {
        let bytes_max = self.uploads.packet_bytes_max(link.receiving.is_known());
        let (mut posted, mut held) = (BytesMut::new(), None);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_broken| StatusCode::BAD_REQUEST)?;
            let Ok(bytes) = frame.into_data() else { continue };
            posted.extend_from_slice(&bytes);
            if bytes_max < posted.len() {
                return Err(StatusCode::PAYLOAD_TOO_LARGE);
            }
            if !self.uploads.hold(&mut held, posted.len()) {
                return Err(StatusCode::SERVICE_UNAVAILABLE);
            }
        }
        Ok((posted.freeze(), held))
    }
}

/// Whether the client may ask for the namespaces that it asks for in `posted`.
///
/// The engine repeats the name of an unknown one in its answer, and keeps the answers by number: who
/// posts without polling must not fill the memory with them.
fn may_connect(link: &Link, posted: &[u8]) -> bool {
    let mut connects = meter::packets(posted).filter(|it| it.starts_with(b"40"));
    connects.all(|it| it.len() <= CONNECT_BYTES_MAX && link.may_connect())
}

/// A session keeps its handshake's headers in memory: only what the engine looks at stays.
fn keep_what_the_engine_reads(headers: &mut HeaderMap) {
    let key = headers.remove(SEC_WEBSOCKET_KEY);
    *headers = HeaderMap::with_capacity(usize::from(key.is_some()));
    if let Some(key) = key {
        headers.insert(SEC_WEBSOCKET_KEY, key);
    }
}

/// The response and its body: the engine's bodies are whole already, so nothing is waited for.
async fn read_along(response: Response) -> (Response, Bytes) {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map(|it| it.to_bytes()).unwrap_or_default();
    (Response::from_parts(parts, Body::from(body.clone())), body)
}

/// The session's id in the engine's first packet: `0{"sid":"…",…}`.
fn session_id(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Open {
        sid: String,
    }
    let open: Open = serde_json::from_slice(body.strip_prefix(b"0")?).ok()?;
    Some(open.sid)
}

/// Lets the pages know who asks: an [`Arc<Caller>`] among the request's extensions.
pub(super) async fn introduce(
    State(door): State<Arc<Door>>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Some(transport) = request.extensions().get::<Arc<Transport>>() {
        let caller = door.caller(transport, request.headers());
        request.extensions_mut().insert(caller);
    }
    next.run(request).await
}

/// Judges the `Origin` of every request: Socket.IO and WebSockets are refused to pages that are not
/// listed, and browsers show listed pages the answers.
pub(super) async fn check_origin(
    State(door): State<Arc<Door>>,
    request: Request,
    next: Next,
) -> Response {
    match door.config.cors.origins.judge(request.headers()) {
        Verdict::NoPage => next.run(request).await,
        Verdict::Refused
            if request.uri().path().starts_with(ENGINE_PATH)
                || asks_for_websocket(request.headers()) =>
        {
            Handshake::Origin.count();
            if let Some(transport) = request.extensions().get::<Arc<Transport>>() {
                door.turned_away(door.caller(transport, request.headers()), Handshake::Origin);
            }
            (StatusCode::FORBIDDEN, "this origin is not allowed").into_response()
        }
        Verdict::Refused => next.run(request).await,
        Verdict::Allowed(origin) if request.method() == Method::OPTIONS => {
            let mut response = StatusCode::NO_CONTENT.into_response();
            origin::allow(response.headers_mut(), origin);
            origin::allow_preflight(response.headers_mut());
            response
        }
        Verdict::Allowed(origin) => {
            let mut response = next.run(request).await;
            origin::allow(response.headers_mut(), origin);
            response
        }
    }
}
