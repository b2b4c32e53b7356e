//! Everything that can be set: the sum of the components' sections.
//!
//! Where settings come from is [`load`]'s matter; what a node does that was told nothing is
//! [`laptop`]'s.

mod environment;
pub mod laptop;
pub mod load;
pub mod mistake;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::Deserialize;

use crate::auth::trust::Mode;
use crate::auth::{self, Authenticator};
use crate::blobs::config::{self as blobs, PublicUrl};
use crate::chat::{self, access_hook};
use crate::dialect;
use crate::dialect::check::Faults;
use crate::dialect::source::Source;
use crate::gateway::config::{self as gateway, Cors, Drain, Heartbeat};
use crate::http::api::config as api;
use crate::secret::Secret;
use crate::store::config::{self as store, Durability, History};
use crate::telemetry::{audit, logging, traces};

/// The settings of a node. Each field is a setting or a section of the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address of the public port.
    pub listen: SocketAddr,
    /// Address of the internal port: metrics and probes.
    pub internal_listen: SocketAddr,
    /// Networks of proxies whose word about a client's address is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Where clients reach the cluster: the begin of links to files. Unset: this machine.
    pub public_url: Option<PublicUrl>,
    /// Folder of what a node alone on a machine keeps: its private Redis, its secret.
    pub data_dir: PathBuf,
    /// Where Redis is.
    pub redis: store::Config,
    /// How much of each room is kept.
    pub history: History,
    /// When a send is acknowledged.
    pub durability: Durability,
    /// Whose tokens are believed.
    pub auth: auth::config::Config,
    /// What happens to rooms that nobody has made.
    pub rooms: chat::Config,
    /// Who is asked who may be in a room.
    pub access: access_hook::Config,
    /// Which pages may speak to this node.
    pub cors: Cors,
    /// How a dead client is found.
    pub heartbeat: Heartbeat,
    /// How much is allowed.
    pub limits: Limits,
    /// How this node leaves.
    pub drain: Drain,
    /// Who may use the server API.
    pub api: api::Config,
    /// Where attachments are kept.
    pub blobs: blobs::Config,
    /// What is kept of who did what.
    pub audit: audit::Config,
    /// Which protocols are spoken.
    pub dialects: Dialects,
    /// What is logged, and how.
    pub log: logging::Config,
    /// Whether nothing told this node about Redis, tokens or production: see [`laptop`].
    #[serde(skip)]
    pub is_laptop: bool,
    /// Whether messages are traced: OpenTelemetry's own variables say so.
    #[serde(skip)]
    pub traces: traces::Config,
}

/// Section `limits`. 0 is no limit.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Engine.IO sessions of this node at once.
    pub connections: usize,
    /// New sessions a second and address.
    pub connections_per_address: u32,
    /// Bytes of one event without files.
    pub message_bytes: NonZeroUsize,
    /// Rooms that a connection may have joined at once.
    pub rooms_per_connection: u32,
    /// Events of a connection a second; unset: as its dialect says.
    pub events_per_second: Option<u32>,
    /// Messages of a user a minute; unset: as the dialect says.
    pub messages_per_minute: Option<u32>,
    /// Status changes of a user a minute; unset: as the dialect says.
    pub status_per_minute: Option<u32>,
}

/// Section `dialects`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dialects {
    /// Folder with further dialect files; one of the same name replaces a built-in one.
    pub dir: Option<PathBuf>,
    /// The dialect of a connection that has not shown which one it speaks.
    #[serde(rename = "default")]
    pub usual: String,
}

impl Default for Config {
    fn default() -> Self {
        let gateway = gateway::Config::default();
        Self {
            listen: gateway.listen,
            internal_listen: gateway.internal_listen,
            trusted_proxies: gateway.trusted_proxies,
            public_url: None,
            data_dir: PathBuf::from("data"),
            redis: store::Config::default(),
            history: History::default(),
            durability: Durability::default(),
            auth: auth::config::Config::default(),
            rooms: chat::Config::default(),
            access: access_hook::Config::default(),
            cors: gateway.cors,
            heartbeat: gateway.heartbeat,
            limits: Limits::default(),
            drain: gateway.drain,
            api: api::Config::default(),
            blobs: blobs::Config::default(),
            audit: audit::Config::default(),
            dialects: Dialects::default(),
            log: logging::Config::default(),
            is_laptop: false,
            traces: traces::Config::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let gateway = gateway::Limits::default();
        Self {
            connections: gateway.connections,
            connections_per_address: gateway.connections_per_address,
            message_bytes: gateway.message_bytes,
            rooms_per_connection: 100,
            events_per_second: None,
            messages_per_minute: None,
            status_per_minute: None,
        }
    }
}

impl Default for Dialects {
    fn default() -> Self {
        Self { dir: None, usual: "conversation".to_owned() }
    }
}

impl Dialects {
    /// Compiles the dialects of the binary and of the folder.
    ///
    /// # Errors
    /// Every fault of every file.
    pub fn compile(&self) -> Result<dialect::Dialects, Faults> {
        dialect::Dialects::compile(&Source::all(self.dir.as_deref())?)
    }

    fn problem(&self) -> Option<String> {
        match self.compile() {
            Ok(all) if all.by_name(&self.usual).is_some_and(|it| !all.get(it).is_enveloped()) => {
                None
            }
            Ok(_) => {
                Some("dialects.default: see `parlance dialects list` for all on a namespace".into())
            }
            Err(faults) => {
                Some(format!("dialects.dir: {}", faults.to_string().replace('\n', "; ")))
            }
        }
    }
}

/// A longer pause between pings, or wait for a pong, would keep the dead for too long.
const HEARTBEAT_MS_MAX: u64 = 3_600_000;

impl Config {
    /// The gateway's part.
    #[must_use]
    pub fn gateway(&self) -> gateway::Config {
        gateway::Config {
            listen: self.listen,
            internal_listen: self.internal_listen,
            cors: self.cors.clone(),
            heartbeat: self.heartbeat,
            limits: gateway::Limits {
                connections: self.limits.connections,
                connections_per_address: self.limits.connections_per_address,
                message_bytes: self.limits.message_bytes,
            },
            trusted_proxies: self.trusted_proxies.clone(),
            drain: self.drain,
        }
    }

    /// What links to files are signed with: the same on every node.
    #[must_use]
    pub fn link_secret(&self) -> Option<&Secret<String>> {
        self.blobs.secret.as_ref().or(self.auth.jwt_secret.as_ref())
    }

    /// All mistakes that the types allow, each as `setting: cause and cure`.
    fn problems(&self) -> Vec<String> {
        let mut problems = self.redis.problems();
        // On a laptop start the secret is made later.
        if !self.is_laptop
            && let Err(problem) = Authenticator::check(&self.auth)
        {
            problems.push(format!("{}: {problem}", problem.setting()));
        }
        let is_trusting = self.auth.mode == Mode::Trust;
        let has_keys = !self.auth.all_issuers().is_empty();
        if is_trusting && has_keys {
            problems.push(
                "auth.mode: takes clients at their word, so it does not go with a key: remove it, \
                 or the keys and issuers of auth"
                    .into(),
            );
        }
        if self.listen == self.internal_listen && self.listen.port() != 0 {
            problems.push(format!("internal_listen: is the public address {} too", self.listen));
        }
        for (name, ms) in
            [("interval_ms", self.heartbeat.interval_ms), ("timeout_ms", self.heartbeat.timeout_ms)]
        {
            if HEARTBEAT_MS_MAX < ms.get() {
                problems.push(format!("heartbeat.{name}: has to be 1 to {HEARTBEAT_MS_MAX}"));
            }
        }
        if self.drain.seconds < self.drain.notice_seconds {
            problems.push(format!(
                "drain.notice_seconds: is part of drain.seconds, so at most {}",
                self.drain.seconds
            ));
        }
        problems.extend(self.api.problems());
        problems.extend(self.blobs.problems());
        problems.extend(self.access.problems());
        problems.extend(self.audit.problems());
        if (is_trusting || has_keys) && self.link_secret().is_none() {
            problems.push(
                "blobs.secret: links to files cannot be signed without a secret: set a random \
                 text, the same on every node"
                    .into(),
            );
        }
        problems.extend(self.dialects.problem());
        problems
    }
}
