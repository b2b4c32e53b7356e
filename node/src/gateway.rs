//! The door for clients: takes their connections, speaks Socket.IO or plain envelopes with them, and
//! turns each namespace of each into a [`Peer`].
//!
//! What a client says is not understood here, and what it hears is not made here.

pub mod accept;
mod address;
mod admission;
mod binary;
pub mod config;
mod credentials;
mod door;
mod drain;
mod envelope;
mod flow;
mod inside;
mod intake;
mod link;
mod meter;
mod metrics;
pub mod origin;
mod packet;
mod socketio;
mod transport;
pub mod untrusted;
mod uploads;
mod websocket;

use std::sync::{Arc, Weak};

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::any;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::auth::{AuthFailure, Credentials, Identity};
use crate::dialect::Venue;
use crate::domain::refusal::Refusal;
use crate::gateway::accept::Listener;
use crate::gateway::admission::Admission;
use crate::gateway::config::{Config, Limits};
use crate::gateway::door::Door;
use crate::gateway::drain::{FLUSH_MAX, Leaving};
use crate::gateway::inside::Inside;
use crate::gateway::socketio::engine::{ENGINE_PATH, Engine};
use crate::gateway::socketio::{Lane, Namespace};
use crate::gateway::uploads::Uploads;
use crate::lifecycle::Lifecycle;
use crate::session::peer::Peer;
use crate::telemetry::audit::Audit;

/// TCP connections beside those of sessions: probes, pages, second requests of polling clients.
const SPARE_TRANSPORTS: usize = 1000;

/// TCP connections where sessions are not limited.
const TRANSPORTS_MAX: usize = 1_000_000;

/// What a packet adds to its event's bytes: type, namespace, acknowledgement id, event name.
const ENVELOPE_BYTES_MAX: usize = 4096;

/// Bytes of one packet, and of one polling request.
fn packet_bytes_max(limits: Limits) -> usize {
    limits.message_bytes.get().saturating_add(ENVELOPE_BYTES_MAX)
}

/// Verifies what a handshake showed; `Ok(None)`: it showed nothing.
pub type Authenticate =
    Arc<dyn Fn(&Credentials) -> Result<Option<Identity>, AuthFailure> + Send + Sync>;

/// Takes a peer and returns at once, with the dialect that it is expected to speak, for metrics: the
/// session runs as a task of its own. A refusal is that of the CONNECT.
pub type Open = Arc<dyn Fn(Peer) -> Result<Arc<str>, Refusal> + Send + Sync>;

/// Whether files may come with an event of a namespace, told by the begin of its packet.
pub type TakesFiles = Arc<dyn Fn(&str, &str) -> bool + Send + Sync>;

/// What is behind the door.
#[derive(Clone)]
pub struct Behind {
    /// The namespaces that are served, and the paths of envelopes.
    pub venues: Vec<Venue>,
    /// The cookies that may hold a token, in order.
    pub cookies: Vec<String>,
    /// Verifies tokens.
    pub authenticate: Authenticate,
    /// Serves peers.
    pub open: Open,
    /// Told of everyone who is turned away.
    pub audit: Audit,
    /// Tells the events that may be larger than others.
    pub takes_files: TakesFiles,
}

fn namespaces(venues: &[Venue]) -> Vec<Arc<str>> {
    let namespace = |it: &Venue| match it {
        Venue::Namespace(namespace) => Some(Arc::clone(namespace)),
        Venue::Path(_) => None,
    };
    venues.iter().filter_map(namespace).collect()
}

impl std::fmt::Debug for Behind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Behind").field("venues", &self.venues).finish_non_exhaustive()
    }
}

/// The gateway of a node.
pub struct Gateway {
    door: Arc<Door>,
    leaving: watch::Sender<Option<Leaving>>,
    kill: CancellationToken,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("open", &self.door.links.open_count()).finish()
    }
}

impl Gateway {
    /// Sets up everything but the listeners. The metrics' recorder is installed before.
    #[must_use]
    pub fn new(config: Config, behind: Behind, lifecycle: Lifecycle) -> Self {
        metrics::describe();
        let (leaving, told_to_leave) = watch::channel(None);
        let uploads =
            Uploads::new(config.limits, config.heartbeat, Arc::clone(&behind.takes_files));
        let inside = Inside::new(&behind, Arc::clone(&uploads), lifecycle.clone(), told_to_leave);
        let namespaces = namespaces(&behind.venues);
        let websocket = websocket::Lane::new(Arc::clone(&inside), behind.venues, config.heartbeat);
        let packet_bytes = uploads.packet_bytes_max(true);
        let engine = Engine::new(config.heartbeat, packet_bytes, |engine| {
            let lane = Arc::new(Lane { inside, engine: Weak::clone(engine) });
            namespaces.into_iter().map(|name| Namespace::new(name, Arc::clone(&lane))).collect()
        });
        let door = Door {
            admission: Admission::new(config.limits),
            cookies: behind.cookies,
            audit: behind.audit,
            links: Arc::default(),
            uploads,
            engine,
            websocket,
            lifecycle,
            config,
        };
        Self { door: Arc::new(door), leaving, kill: CancellationToken::new() }
    }

    /// Binds the public listener.
    ///
    /// # Errors
    /// The address is taken or not this machine's.
    pub async fn listen(&self) -> std::io::Result<Listener> {
        let sessions = self.door.config.limits.connections;
        let transports_max = match sessions {
            0 => TRANSPORTS_MAX,
            // A polling client has two requests under way.
            sessions => sessions.saturating_mul(2).saturating_add(SPARE_TRANSPORTS),
        };
        Listener::bind(self.door.config.listen, transports_max, self.kill.child_token()).await
    }

    /// Everything that the public port serves: Socket.IO, WebSockets with envelopes, and `pages` for
    /// all else.
    pub fn router(&self, pages: Router) -> Router {
        let socket_io = any(door::pass).with_state(Arc::clone(&self.door));
        pages
            .layer(from_fn_with_state(Arc::clone(&self.door), door::introduce))
            .route(ENGINE_PATH, socket_io.clone())
            .route(&format!("{ENGINE_PATH}/"), socket_io)
            .layer(from_fn_with_state(Arc::clone(&self.door), door::pass_envelopes))
            .layer(from_fn_with_state(Arc::clone(&self.door), door::check_origin))
    }

    /// Open sessions.
    #[must_use]
    pub fn open_count(&self) -> usize {
        self.door.links.open_count()
    }

    /// Leaves: waits until proxies have noticed, then closes connections one after the other, each
    /// with what it still had to hear. Resolves when all are gone or the time for it is over. New
    /// sessions are refused from the soft stop on, which comes first.
    pub async fn drain(&self) {
        let began = Instant::now();
        let settings = self.door.config.drain;
        sleep(settings.notice()).await;
        let left = settings.whole().saturating_sub(settings.notice());
        // The last connection closed still has time to be flushed.
        let spread = left.saturating_sub(FLUSH_MAX) / 2;
        info!(sessions = self.open_count(), "closing all connections");
        self.leaving.send_replace(Some(Leaving { begins: Instant::now(), spread }));
        let links = &self.door.links;
        if timeout_at(began + settings.whole(), links.all_gone()).await.is_err() {
            warn!(sessions = self.open_count(), "connections are left and are cut off");
        }
        self.kill.cancel();
    }
}
