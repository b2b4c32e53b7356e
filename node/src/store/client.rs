//! Clients of Redis, configured against the traps of the library's defaults.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::time::Duration;

use fred::clients::Client;
use fred::error::{Error, ErrorKind};
use fred::types::config::{
    Config as FredConfig, ConnectionConfig, PerformanceConfig, ReconnectError, ReconnectPolicy,
    ServerConfig, TcpConfig, UnresponsiveConfig,
};
use fred::types::{Builder, RespVersion};
use percent_encoding::percent_decode;
use socket2::TcpKeepalive;

use crate::secret::Secret;

/// A command that got no answer within this is given up: its fate is unknown.
pub(crate) const COMMAND_TIMEOUT: Duration = Duration::from_secs(3);

/// Connecting, and what the library asks for itself.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The kernel gives up on a peer that acknowledges nothing for so long.
const PEER_TIMEOUT: Duration = Duration::from_secs(10);

/// Frames that may wait between the connection and the subscriber task. The library's default (32)
/// loses messages in any burst; the bound costs memory only when it is used.
const FRAMES_WAITING_MAX: usize = 16_384;

/// Commands that may wait in a client while Redis is away; more than all callers together have.
const COMMANDS_WAITING_MAX: usize = 16_384;

/// Longest pause between attempts to connect: after a failover writes are back within three
/// seconds of the time after which a primary counts as down.
const RECONNECT_MS_MAX: u32 = 1_000;

/// What the address of sentinels has to have, as the library reads it.
const SERVICE: &str = "sentinelServiceName=";

/// Why an address of Redis cannot be used; never holds the address, which has a password in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UrlProblem {
    #[error("a Redis cluster is not supported yet; give one server, or sentinels")]
    Cluster,
    #[error(
        "names no service: append ?sentinelServiceName= and what the sentinels call the primary"
    )]
    Service,
    #[error("has to begin with redis://, redis-sentinel:// or unix://")]
    Scheme,
    #[error("is no address of a Redis server")]
    Address,
    #[error("the root certificates of this machine cannot be read")]
    Certificates,
}

/// Reads the address of a Redis, or of the sentinels that know where it is.
pub(crate) fn parse_url(url: &Secret<String>) -> Result<FredConfig, UrlProblem> {
    let url = url.expose();
    let (scheme, rest) = url.split_once("://").ok_or(UrlProblem::Scheme)?;
    let parsed = match scheme {
        "redis-sentinel" | "rediss-sentinel" if !url.contains(SERVICE) => {
            return Err(UrlProblem::Service);
        }
        "redis-sentinel" | "rediss-sentinel" => FredConfig::from_url_sentinel(url),
        "redis" | "rediss" if url.contains(SERVICE) => FredConfig::from_url_sentinel(url),
        "redis" | "rediss" => FredConfig::from_url_centralized(url),
        "unix" | "redis+unix" => {
            FredConfig::from_url_unix(&format!("redis+unix://{rest}")).map(with_plain_path)
        }
        "redis-cluster" | "rediss-cluster" => return Err(UrlProblem::Cluster),
        _ => return Err(UrlProblem::Scheme),
    };
    // The library's text would repeat parts of the address.
    let mut config = parsed.map_err(|error| {
        let is_tls = *error.kind() == ErrorKind::Tls;
        if is_tls { UrlProblem::Certificates } else { UrlProblem::Address }
    })?;
    config.version = RespVersion::RESP3;
    // The first connection fails loudly; waiting for Redis is the caller's loop.
    config.fail_fast = true;
    Ok(config)
}

/// The library leaves a socket's path as URLs write it, with `%20` for a space.
fn with_plain_path(mut config: FredConfig) -> FredConfig {
    if let ServerConfig::Unix { path } = &mut config.server {
        let plain: Vec<u8> = percent_decode(path.as_os_str().as_bytes()).collect();
        *path = OsString::from_vec(plain).into();
    }
    config
}

/// A client for commands. It never repeats a command by itself: whether repeating is safe, and for
/// how long, is known only where the command comes from.
pub(crate) fn commands(config: &FredConfig) -> Result<Client, Error> {
    builder(config).build()
}

/// A client that only subscribes: commands beside subscriptions can get each other's answers.
pub(crate) fn subscriber(config: &FredConfig) -> Result<Client, Error> {
    let mut builder = builder(config);
    builder.with_performance_config(|it| it.broadcast_channel_capacity = FRAMES_WAITING_MAX);
    builder.build()
}

fn builder(config: &FredConfig) -> Builder {
    let mut builder = Builder::from_config(config.clone());
    builder.set_policy(ReconnectPolicy::new_exponential(0, 50, RECONNECT_MS_MAX, 2));
    builder.set_performance_config(PerformanceConfig {
        default_command_timeout: COMMAND_TIMEOUT,
        ..PerformanceConfig::default()
    });
    builder.set_connection_config(ConnectionConfig {
        connection_timeout: CONNECT_TIMEOUT,
        internal_command_timeout: CONNECT_TIMEOUT,
        max_command_attempts: 1,
        max_command_buffer_len: COMMANDS_WAITING_MAX,
        reconnect_on_auth_error: true,
        auto_client_setname: true,
        unresponsive: UnresponsiveConfig {
            max_timeout: Some(COMMAND_TIMEOUT),
            interval: Duration::from_millis(500),
        },
        tcp: TcpConfig {
            nodelay: Some(true),
            keepalive: Some(TcpKeepalive::new().with_time(PEER_TIMEOUT)),
            user_timeout: Some(PEER_TIMEOUT),
            ..TcpConfig::default()
        },
        // A server that became a replica keeps its connections; only a new one finds the primary.
        reconnect_errors: vec![
            ReconnectError::ClusterDown,
            ReconnectError::Loading,
            ReconnectError::MasterDown,
            ReconnectError::ReadOnly,
        ],
        ..ConnectionConfig::default()
    });
    builder
}
