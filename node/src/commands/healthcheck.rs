//! Asking the node on this machine whether it is ready.
//!
//! A request of one line over a plain socket: a container's health check needs no HTTP client.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::Failure;
use crate::commands::failed;

/// A node that takes longer is not well.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Succeeds when `/readyz` answers 200.
pub(crate) fn ask(internal: SocketAddr) -> Result<(), Failure> {
    let status = status_line(reachable(internal)).map_err(|error| {
        Failure::Failed(format!("no answer from the node at {internal}: {error}"))
    })?;
    if status.starts_with("HTTP/1.1 200 ") {
        Ok(())
    } else {
        Err(failed(format_args!("not ready: {}", status.trim_end())))
    }
}

fn status_line(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    // Enough for the status line; what follows is for people.
    let mut head = Vec::new();
    stream.take(64).read_to_end(&mut head)?;
    let head = String::from_utf8_lossy(&head);
    Ok(head.lines().next().unwrap_or_default().to_owned())
}

/// An address that listens everywhere is reached on this machine.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
    }
    address
}
