//! Which server to talk to: this machine only.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;

/// A server on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    /// Where it listens; a loopback address.
    pub(crate) address: SocketAddr,
}

/// Why a URL is no target.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum TargetError {
    #[error("{0} is not http://host:port")]
    Malformed(String),
    #[error("{0} is not on this machine: load goes to loopback addresses only")]
    NotLoopback(String),
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(url: &str) -> Result<Self, TargetError> {
        let malformed = || TargetError::Malformed(url.to_owned());
        let rest = url
            .split_once("://")
            .map_or(Some(url), |(scheme, rest)| matches!(scheme, "http" | "ws").then_some(rest));
        let host = rest.ok_or_else(malformed)?.trim_end_matches('/');
        let mut found = host.to_socket_addrs().map_err(|_error| malformed())?;
        let address = found.find(|it| it.is_ipv4()).ok_or_else(malformed)?;
        if !address.ip().is_loopback() {
            return Err(TargetError::NotLoopback(url.to_owned()));
        }
        Ok(Self { address })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.address)
    }
}

/// How many loopback addresses the clients come from: one has some 28,000 ports towards a server.
const SOURCES: usize = 32;

/// The address that a client comes from: 127.0.0.2 and following.
pub(crate) fn source(client: usize) -> IpAddr {
    let last = u8::try_from(2 + client % SOURCES).unwrap_or(2);
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_a_target() {
        let parse = |url: &str| url.parse::<Target>().map(|it| it.to_string());
        assert_eq!(parse("http://127.0.0.1:3000/").as_deref(), Ok("http://127.0.0.1:3000"));
        assert_eq!(parse("127.0.0.9:80").as_deref(), Ok("http://127.0.0.9:80"));
        assert_eq!(
            parse("http://8.8.8.8:80"),
            Err(TargetError::NotLoopback("http://8.8.8.8:80".into()))
        );
        assert_eq!(
            parse("https://127.0.0.1:1"),
            Err(TargetError::Malformed("https://127.0.0.1:1".into()))
        );
        assert!(parse("http://127.0.0.1").is_err());
    }

    #[test]
    fn clients_come_from_several_addresses() {
        assert_eq!(source(0).to_string(), "127.0.0.2");
        assert_eq!(source(31).to_string(), "127.0.0.33");
        assert_eq!(source(32).to_string(), "127.0.0.2");
    }
}
