//! A gateway with a session of the test's own behind it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use parlance::auth::{AuthFailure, Identity};
use parlance::dialect::{Frame, Venue};
use parlance::domain::command::Token;
use parlance::domain::id::UserId;
use parlance::domain::refusal::Refusal;
use parlance::domain::role::{Actor, Participant, Role};
use parlance::domain::time::Timestamp;
use parlance::gateway::config::Config;
use parlance::gateway::{Behind, Gateway};
use parlance::hub::outbox::Outgoing;
use parlance::lifecycle::Lifecycle;
use parlance::session::peer::{Inbound, Peer};
use parlance::telemetry::audit::Audit;
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep};

pub(crate) struct Server {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.lifecycle.stop_hard();
    }
}

impl Server {
    /// A node whose sessions echo.
    pub(crate) async fn echo() -> Self {
        Self::start(|_| (), echo).await
    }

    /// A node with its own settings and sessions.
    pub(crate) async fn start<F>(tune: impl FnOnce(&mut Config), session: fn(Peer) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut config = Config { listen: "127.0.0.1:0".parse().unwrap(), ..Config::default() };
        config.limits.connections_per_address = 0;
        tune(&mut config);
        let lifecycle = Lifecycle::default();
        let tasks = lifecycle.clone();
        let (audit, _records) = Audit::new();
        let behind = Behind {
            audit,
            venues: vec![
                Venue::Namespace("/".into()),
                Venue::Namespace("/conversation".into()),
                Venue::Path("/ws".into()),
                Venue::Path("/page".into()),
            ],
            cookies: vec!["access_token".to_owned()],
            authenticate: Arc::new(|shown| {
                let mut tokens = [&shown.connect, &shown.header, &shown.cookie].into_iter();
                tokens.find_map(Option::as_ref).map(identify).transpose()
            }),
            open: Arc::new(move |mut peer: Peer| {
                let needs_token = peer.venue == Venue::Namespace("/conversation".into());
                if peer.identity.is_none() && needs_token {
                    return Err(Refusal::AuthRequired);
                }
                if let Some(opening) = peer.opening.take() {
                    opening.accept(None);
                }
                tasks.spawn("session", session(peer));
                Ok(Arc::from("echo"))
            }),
            takes_files: Arc::new(|_, packet| packet.starts_with(r#"["files""#)),
        };
        let gateway = Arc::new(Gateway::new(config, behind, lifecycle.clone()));
        let listener = gateway.listen().await.unwrap();
        let address = listener.address().unwrap().to_string();
        let router = gateway.router(Router::new().route("/page", get(async || "a page")));
        lifecycle.spawn("listener", listener.serve(router, lifecycle.clone()));
        Self { gateway, lifecycle, address }
    }

    /// Waits until so many sessions are open, at most `longest`.
    pub(crate) async fn sessions(&self, expected: usize, longest: Duration) {
        let began = Instant::now();
        while self.gateway.open_count() != expected {
            let open = self.gateway.open_count();
            assert!(began.elapsed() < longest, "{open} sessions are open, not {expected}");
            sleep(Duration::from_millis(10)).await;
        }
    }
}

fn identify(token: &Token) -> Result<Identity, AuthFailure> {
    if token.expose() != "good" {
        return Err(AuthFailure::Invalid);
    }
    let id = UserId::parse("alice").unwrap();
    let participant =
        Participant { id, name: "Alice".to_owned(), role: Role::User, full_name: None };
    let actor = Actor { participant, is_named: true, grants: Vec::new(), departments: Vec::new() };
    Ok(Identity { actor, expires_at: Timestamp(u64::MAX), token: None, issued_at: None })
}

/// An event with a payload that is JSON already.
pub(crate) fn event(name: &str, payload: String) -> Outgoing {
    let payload = RawValue::from_string(payload).unwrap();
    Outgoing::Event(Arc::new(Frame::new(name.into(), payload)))
}

/// A longer packet is answered with its length.
const ECHO_BYTES_MAX: usize = 1_000_000;

/// Answers each event with its own packet: in its acknowledgement, or else as the event `echo`.
pub(crate) async fn echo(mut peer: Peer) {
    let hello = format!(r#"{{"known":{}}}"#, peer.identity.is_some());
    peer.outbox.push(event("hello", hello)).unwrap();
    while let Some(inbound) = peer.inbox.next().await {
        let (packet, ack) = match inbound {
            Inbound::Event { packet, ack, .. } if ECHO_BYTES_MAX < packet.len() => {
                (packet.len().to_string(), ack)
            }
            Inbound::Event { packet, ack, held: _ } => (packet.into_string(), ack),
            Inbound::Refused { refusal, ack, .. } => (format!("{:?}", refusal.code()), ack),
        };
        let outgoing = match ack {
            Some(id) => {
                Outgoing::Ack { id, payload: RawValue::from_string(packet).unwrap().into() }
            }
            None => event("echo", packet),
        };
        peer.outbox.half_empty().await;
        if peer.outbox.push(outgoing).is_err() {
            return;
        }
    }
}
