//! The node as a whole: every part started, and stopped in order.

mod drain;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::BuildError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::app::drain::Stop;
use crate::auth::key::KeyProblem;
use crate::auth::remote::RemoteError;
use crate::auth::trust::Mode;
use crate::auth::{AuthFailure, Authenticator, Credentials};
use crate::blobs::config::PublicUrl;
use crate::blobs::{Blobs, BlobsError};
use crate::chat::Chat;
use crate::chat::access_hook::AccessHook;
use crate::clock;
use crate::config::Config;
use crate::dialect::check::Faults;
use crate::dialect::{Dialects, LinkTo};
use crate::gateway::accept::Listener;
use crate::gateway::{Behind, Gateway};
use crate::http::api::{self, PartsLater};
use crate::http::body::Bodies;
use crate::http::tickets::{self, Tickets};
use crate::http::{self, Sources};
use crate::hub::{self, HANDED_MAX, Hub};
use crate::lifecycle::Lifecycle;
use crate::session::{self, Sessions};
use crate::store::{Health, Store, StoreError, connect};
use crate::telemetry::audit::Audit;
use crate::telemetry::metrics;
use crate::telemetry::traces::{self, TracesError};

/// Connections to the internal port: probes, scrapes, and some that forget to close.
const INTERNAL_TRANSPORTS_MAX: usize = 256;

/// How often the cluster is told this node's figures; they go with the next beat.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// Keepers at most: topics spread over one a core, and more than these would only take memory.
const KEEPERS_MAX: usize = 16;

/// Why a node could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The metrics' recorder could not be installed.
    #[error("metrics cannot be recorded: {0}")]
    Metrics(#[from] BuildError),
    /// Traces cannot be sent.
    #[error("traces: {0}")]
    Traces(#[from] TracesError),
    /// A dialect's file has faults.
    #[error("dialects: {0}")]
    Dialects(#[from] Faults),
    /// The tokens' key cannot be used.
    #[error("{0}")]
    Key(#[from] KeyProblem),
    /// There is nothing to sign links to files with.
    #[error("links to files cannot be signed: set blobs.secret")]
    LinkSecret,
    /// The place for files cannot be used.
    #[error("blobs: {0}")]
    Blobs(#[from] BlobsError),
    /// The application cannot be asked who may be in a room.
    #[error("access.url: {0}")]
    Hook(RemoteError),
    /// Redis cannot be used.
    #[error("redis: {0}")]
    Store(#[from] StoreError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

/// What serves clients, and is stopped in order.
struct Node {
    lifecycle: Lifecycle,
    store: Store,
    gateway: Gateway,
}

/// Runs a node until it has left.
///
/// # Errors
/// A part could not start.
pub async fn run(config: Config) -> Result<(), StartError> {
    let mut stop = Stop::listen();
    let lifecycle = Lifecycle::default();
    let traces = traces::start(&config.traces)?;
    tokio::select! {
        biased;
        // Boxed: starting needs much room, and once.
        node = Box::pin(start(&config, &lifecycle)) => node?.serve(stop).await,
        // Nobody is connected yet, so there is nothing to drain.
        () = stop.asked() => info!("stopped while starting"),
    }
    lifecycle.stop_hard();
    lifecycle.finished().await;
    if let Some(traces) = traces {
        traces.finish().await;
    }
    Ok(())
}

async fn start(config: &Config, lifecycle: &Lifecycle) -> Result<Node, StartError> {
    let started = Instant::now();
    // The internal port first: a node that waits for Redis lives, and says that it is not ready.
    let (health, seen) = watch::channel(Health::Starting);
    let (api, bodies) = (PartsLater::default(), Bodies::default());
    serve_internal(config, seen, (&api, &bodies), lifecycle).await?;

    let auth = Arc::new(Authenticator::new(&config.auth, lifecycle)?);
    if config.auth.mode == Mode::Trust {
        warn!(
            "clients are taken at their word: whoever says who they are on connecting needs no token"
        );
    }
    let blobs = open_blobs(config, lifecycle)?;
    let dialects = Arc::new(config.dialects.compile()?.with_links(&link_to(&blobs)));
    let keepers = std::thread::available_parallelism().map_or(1, usize::from).min(KEEPERS_MAX);
    let (arrivals, mailboxes) = hub::mailboxes(keepers);
    let store = connect(&config.redis, arrivals, lifecycle.clone()).await?;
    let (audit, records) = Audit::new();
    lifecycle.spawn("audit", store.clone().keep_audit(config.audit, records));
    let (handed_to, handed) = mpsc::channel(HANDED_MAX);
    let hub = Hub::start(mailboxes, &store, &dialects, &handed_to, lifecycle);
    let hook = AccessHook::new(&config.access, lifecycle).map_err(StartError::Hook)?;
    let chat = Chat::start((config.rooms, hook), (&store, &blobs), handed, lifecycle);
    api.get_or_init(|| api::Parts {
        chat: chat.clone(),
        store: store.clone(),
        blobs: blobs.clone(),
        audit: audit.clone(),
    });
    let tickets = Tickets {
        chat: chat.clone(),
        dialects: Arc::clone(&dialects),
        auth: Arc::clone(&auth),
        revocations: Arc::clone(hub.revocations()),
        audit: audit.clone(),
        bodies,
        body_bytes_max: config.limits.message_bytes.get(),
    };
    let sessions = Sessions::new(
        session_config(config, &dialects),
        (chat, hub.clone(), store.clone()),
        Arc::clone(&dialects),
        (Arc::clone(&auth), audit.clone()),
        lifecycle.clone(),
    );
    lifecycle.spawn("report", report(store.clone(), hub.clone()));

    hub.revocations().known().await;
    let behind = behind(&dialects, (&auth, audit), &hub, sessions);
    let gateway = Gateway::new(config.gateway(), behind, lifecycle.clone());
    let public = gateway.listen().await.map_err(cannot_listen(config.listen))?;
    let at = public.address().map_err(cannot_listen(config.listen))?;
    let sources = sources(&store, &hub, blobs, started);
    let pages = gateway.router(http::public(sources, tickets::routes(tickets)));
    lifecycle.spawn("public port", public.serve(pages, lifecycle.clone()));
    // Ready only now: whoever asks the probe comes next.
    lifecycle.spawn("health", pass_on(store.health(), health));
    info!(listen = %at, node = %node_name(&store), "serving");
    Ok(Node { lifecycle: lifecycle.clone(), store, gateway })
}

async fn serve_internal(
    config: &Config,
    health: watch::Receiver<Health>,
    (api, bodies): (&PartsLater, &Bodies),
    lifecycle: &Lifecycle,
) -> Result<(), StartError> {
    let scrape = metrics::install()?;
    drain::describe();
    lifecycle.spawn("metrics", metrics::upkeep(scrape.clone()));
    let address = config.internal_listen;
    let listener = Listener::bind(address, INTERNAL_TRANSPORTS_MAX, CancellationToken::new());
    let listener = listener.await.map_err(cannot_listen(address))?;
    let at = listener.address().map_err(cannot_listen(address))?;
    let pages = http::internal(health, scrape, api::routes(&config.api, (api, bodies)), lifecycle);
    lifecycle.spawn("internal port", listener.serve(pages, lifecycle.clone()));
    info!(listen = %at, "serving probes and metrics");
    Ok(())
}

/// Tells the probes what the store says, which came into being after them.
async fn pass_on(mut from: watch::Receiver<Health>, to: watch::Sender<Health>) {
    loop {
        to.send_replace(*from.borrow_and_update());
        if from.changed().await.is_err() {
            return;
        }
    }
}

fn open_blobs(config: &Config, lifecycle: &Lifecycle) -> Result<Blobs, StartError> {
    let secret = config.link_secret().ok_or(StartError::LinkSecret)?;
    let local = || PublicUrl::local(config.listen.port());
    let base = config.public_url.clone().unwrap_or_else(local);
    info!(url = base.as_str(), "links to files begin with this address (public_url)");
    let links = (secret, base);
    Ok(Blobs::open(&config.blobs, &config.data_dir, links, lifecycle.clone())?)
}

/// Links to files, signed when they are told.
fn link_to(blobs: &Blobs) -> LinkTo {
    let blobs = blobs.clone();
    Arc::new(move |file| blobs.url(file, clock::now()))
}

fn sources(store: &Store, hub: &Hub, blobs: Blobs, started: Instant) -> Sources {
    let (local, cluster) = (hub.clone(), store.clone());
    Sources {
        node: node_name(store),
        started,
        local: Arc::new(move || local.figures()),
        cluster: Arc::new(move || cluster.figures()),
        blobs,
        health: store.health(),
    }
}

/// The node's name in its pages: small, and unique among living nodes.
fn node_name(store: &Store) -> Arc<str> {
    Arc::from(format!("node-{}", store.life().borrow().index))
}

fn cannot_listen(address: SocketAddr) -> impl FnOnce(io::Error) -> StartError {
    move |source| StartError::Listen { address, source }
}

fn session_config(config: &Config, dialects: &Dialects) -> session::Config {
    session::Config {
        // The configuration was checked: there is such a dialect.
        dialect: dialects.by_name(&config.dialects.usual).unwrap_or(crate::dialect::DialectId(0)),
        rooms_per_connection: config.limits.rooms_per_connection,
        events_per_second: config.limits.events_per_second,
        messages_per_minute: config.limits.messages_per_minute,
        status_per_minute: config.limits.status_per_minute,
    }
}

fn behind(
    dialects: &Arc<Dialects>,
    (auth, audit): (&Arc<Authenticator>, Audit),
    hub: &Hub,
    sessions: Sessions,
) -> Behind {
    let spoken = Arc::clone(dialects);
    let (verifier, revocations) = (Arc::clone(auth), Arc::clone(hub.revocations()));
    let authenticate = move |shown: &Credentials| {
        let identity = verifier.authenticate(shown, clock::now())?;
        match &identity {
            Some(it) if revocations.ends(&it.pass()) => Err(AuthFailure::Revoked),
            Some(_) | None => Ok(identity),
        }
    };
    Behind {
        venues: dialects.venues(),
        cookies: auth.cookies().to_vec(),
        authenticate: Arc::new(authenticate),
        open: Arc::new(move |peer| sessions.open(peer)),
        takes_files: Arc::new(move |namespace, packet| spoken.takes_files(namespace, packet)),
        audit,
    }
}

async fn report(store: Store, hub: Hub) {
    let mut due = interval(REPORT_EVERY);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        due.tick().await;
        let figures = hub.measure();
        store.report(figures.connections, figures.rooms);
    }
}
