//! Settings of the doors: where the node listens and whom it lets in.
//!
//! Each struct is one section of the configuration. A limit of 0 is off.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;

use crate::gateway::origin::AllowedOrigins;

/// Everything that the gateway is configured with.
#[derive(Debug, Clone)]
pub struct Config {
    /// Address of the public port (Socket.IO, health, status).
    pub listen: SocketAddr,
    /// Address of the internal port (metrics, probes).
    pub internal_listen: SocketAddr,
    /// Section `cors`.
    pub cors: Cors,
    /// Section `heartbeat`.
    pub heartbeat: Heartbeat,
    /// The gateway's part of the section `limits`.
    pub limits: Limits,
    /// Networks whose `Forwarded` and `X-Forwarded-For` headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Section `drain`.
    pub drain: Drain,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 3000),
            internal_listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9464),
            cors: Cors::default(),
            heartbeat: Heartbeat::default(),
            limits: Limits::default(),
            trusted_proxies: Vec::new(),
            drain: Drain::default(),
        }
    }
}

/// Which pages may speak to this node.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cors {
    /// A list, or one text with commas: `https://chat.example`, `http://localhost:*` (any port),
    /// `null` (pages without an origin).
    pub origins: AllowedOrigins,
}

impl Default for Cors {
    fn default() -> Self {
        Self { origins: AllowedOrigins::local_page() }
    }
}

/// How a dead client is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Heartbeat {
    /// Milliseconds between two pings.
    pub interval_ms: NonZeroU64,
    /// Milliseconds that a client has to answer one.
    pub timeout_ms: NonZeroU64,
}

impl Default for Heartbeat {
    fn default() -> Self {
        const {
            Self {
                interval_ms: NonZeroU64::new(25_000).unwrap(),
                timeout_ms: NonZeroU64::new(60_000).unwrap(),
            }
        }
    }
}

/// Bounds that are checked before anything is asked of the chat core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Engine.IO sessions of this node at once.
    pub connections: usize,
    /// New sessions a second and address.
    pub connections_per_address: u32,
    /// Bytes of one event without files, and without the packet's envelope. It cannot be off:
    /// memory has to end.
    pub message_bytes: NonZeroUsize,
}

impl Default for Limits {
    fn default() -> Self {
        // 50,000 sessions are about two gigabytes: a larger node says so in its configuration.
        const {
            Self {
                connections: 50_000,
                connections_per_address: 50,
                message_bytes: NonZeroUsize::new(1_000_000).unwrap(),
            }
        }
    }
}

/// How this node leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Drain {
    /// Seconds that leaving may take in all.
    pub seconds: u64,
    /// Seconds of it in which the proxy learns that no new connection shall come.
    pub notice_seconds: u64,
}

impl Default for Drain {
    fn default() -> Self {
        Self { seconds: 8, notice_seconds: 3 }
    }
}

impl Drain {
    /// How long the proxy has to learn that this node leaves.
    #[must_use]
    pub fn notice(&self) -> Duration {
        Duration::from_secs(self.notice_seconds)
    }

    /// How long leaving may take in all, the notice included.
    #[must_use]
    pub fn whole(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}
