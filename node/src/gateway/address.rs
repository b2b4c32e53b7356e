//! Where a client is when it came through proxies.
//!
//! Each proxy appends the address that it saw, so only the entries that trusted proxies wrote can
//! be believed: read from the right, the first one that is no trusted proxy is the client.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use http::header::FORWARDED;
use ipnet::IpNet;

const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// The client's address for a connection from `peer`.
#[must_use]
pub(super) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    let mut client = peer.to_canonical();
    if !is_trusted(&client) {
        return client;
    }
    let hops = if headers.contains_key(FORWARDED) {
        entries(headers, FORWARDED.as_str(), forwarded_for)
    } else {
        entries(headers, X_FORWARDED_FOR, Some)
    };
    for hop in hops.into_iter().rev() {
        // A trusted proxy vouches only for what it wrote: an unreadable entry ends the chain.
        let Some(address) = hop.and_then(parse_address) else { return client };
        client = address;
        if !is_trusted(&client) {
            return client;
        }
    }
    client
}

/// The list entries of a header that may come in several lines, first to last.
fn entries<'a>(
    headers: &'a HeaderMap,
    name: &str,
    pick: fn(&'a str) -> Option<&'a str>,
) -> Vec<Option<&'a str>> {
    let lines = headers.get_all(name).into_iter();
    lines
        .flat_map(|line| line.to_str().unwrap_or_default().split(','))
        .map(|entry| pick(entry.trim()))
        .collect()
}

/// The `for` of one `Forwarded` entry.
fn forwarded_for(entry: &str) -> Option<&str> {
    entry.split(';').find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        name.eq_ignore_ascii_case("for").then(|| value.trim_matches('"'))
    })
}

/// An address, with or without a port; IPv6 perhaps in brackets.
fn parse_address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().or_else(|_| text.parse().map(|it: SocketAddr| it.ip())).ok()?;
    Some(IpAddr::to_canonical(&address))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn check(peer: &str, headers: &[(&str, &str)], expected: &str) {
        let trusted: Vec<IpNet> =
            vec!["10.0.0.0/8".parse().unwrap(), "2001:db8:1::/48".parse().unwrap()];
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::try_from(*name).unwrap();
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        let found = client(peer.parse().unwrap(), &map, &trusted);
        assert_eq!(found, expected.parse::<IpAddr>().unwrap(), "{peer} {headers:?}");
    }

    #[test]
    fn only_what_trusted_proxies_wrote_is_believed() {
        let xff = "x-forwarded-for";
        check("192.0.2.1", &[(xff, "1.1.1.1")], "192.0.2.1");
        check("10.0.0.1", &[], "10.0.0.1");
        check("10.0.0.1", &[(xff, "1.1.1.1")], "1.1.1.1");
        check("10.0.0.1", &[(xff, "6.6.6.6, 1.1.1.1, 10.0.0.2")], "1.1.1.1");
        check("10.0.0.1", &[(xff, "6.6.6.6"), (xff, "1.1.1.1")], "1.1.1.1");
        check("10.0.0.1", &[(xff, "6.6.6.6, garbage")], "10.0.0.1");
        check("10.0.0.1", &[(xff, "10.0.0.9, 10.0.0.2")], "10.0.0.9");
        check("::ffff:10.0.0.1", &[(xff, "1.1.1.1")], "1.1.1.1");
        check("10.0.0.1", &[(xff, "1.1.1.1:5555")], "1.1.1.1");
    }

    #[test]
    fn the_standard_header_wins_over_the_customary_one() {
        check("10.0.0.1", &[("forwarded", "for=1.1.1.1;proto=https")], "1.1.1.1");
        check("10.0.0.1", &[("forwarded", "For=\"[2001:db8:2::7]:80\"")], "2001:db8:2::7");
        check("10.0.0.1", &[("forwarded", "for=_hidden")], "10.0.0.1");
        check(
            "10.0.0.1",
            &[("forwarded", "for=1.1.1.1"), ("x-forwarded-for", "6.6.6.6")],
            "1.1.1.1",
        );
    }
}
