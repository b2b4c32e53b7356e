//! The Engine.IO server behind the door.

use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use socketioxide::service::SocketIoService;
use socketioxide::{ParserConfig, SocketIo};
use tower::ServiceExt;

use crate::gateway::config::Heartbeat;
use crate::gateway::flow::ENGINE_PACKETS_MAX;
use crate::gateway::socketio::Namespace;

/// Where Socket.IO clients ask.
pub(in crate::gateway) const ENGINE_PATH: &str = "/socket.io";

/// How long a session may do without a namespace.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// The engine with its sessions.
#[derive(Clone)]
pub(in crate::gateway) struct Engine {
    service: SocketIoService<Router>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine that serves the namespaces that `namespaces` makes. They are given the engine,
    /// which owns them, by a weak handle.
    #[must_use]
    pub(in crate::gateway) fn new(
        heartbeat: Heartbeat,
        packet_bytes: usize,
        namespaces: impl FnOnce(&Weak<Self>) -> Vec<Namespace>,
    ) -> Arc<Self> {
        let (service, io) = SocketIo::builder()
            .req_path(ENGINE_PATH)
            .ping_interval(Duration::from_millis(heartbeat.interval_ms.get()))
            .ping_timeout(Duration::from_millis(heartbeat.timeout_ms.get()))
            .connect_timeout(CONNECT_MAX)
            .max_buffer_size(ENGINE_PACKETS_MAX)
            // One bounds a polling request, the other two WebSocket messages and their frames: the
            // most that anybody may send. Who may send less is held to it before the engine.
            .max_payload(packet_bytes as u64)
            .ws_max_message_size(packet_bytes)
            .ws_max_frame_size(packet_bytes)
            // Bytes beside events are taken on the lean lane only.
            .with_parser(ParserConfig::common().max_incoming_binaries(0))
            .build_with_inner_svc(Router::new());
        Arc::new_cyclic(|engine| {
            for namespace in namespaces(engine) {
                io.ns(namespace.path().to_owned(), namespace);
            }
            Self { service }
        })
    }

    /// The engine's answer.
    pub(in crate::gateway) async fn call(&self, request: Request) -> Response {
        match self.service.clone().oneshot(request).await {
            Ok(response) => response.map(Body::new),
            Err(never) => match never {},
        }
    }

    /// Ends a polling session as if its client had: the engine offers no other way. A waiting
    /// poll is answered, the next one is told that the session is unknown, and the client
    /// reconnects. Without effect on a WebSocket.
    pub(in crate::gateway) async fn end_polling(&self, session: &str) {
        const CLOSE_PACKET: &str = "1";
        let uri = format!("{ENGINE_PATH}/?EIO=4&transport=polling&sid={session}");
        let request = Request::post(uri).body(Body::from(CLOSE_PACKET));
        if let Ok(request) = request {
            self.call(request).await;
        }
    }
}
