//! Which pages may speak to this node: the `Origin` header, checked on polling and on upgrades.
//!
//! Browsers do not guard WebSocket by CORS, so a refusal has to come from here.

use std::fmt;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, HOST, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue};
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, de};

/// One configured origin.
#[derive(Debug, Clone, PartialEq, Eq)]
enum AllowedOrigin {
    /// Exactly this one, in lower case.
    Exact(String),
    /// This scheme and host (`http://localhost`) with any port or none.
    AnyPort(String),
    /// Pages without an origin: files, sandboxed frames.
    Null,
}

/// A text in the list of origins is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no origin: write scheme://host, scheme://host:port, scheme://host:* or null")]
pub struct NoOrigin(String);

impl AllowedOrigin {
    fn parse(text: &str) -> Result<Self, NoOrigin> {
        let lower = text.trim().trim_end_matches('/').to_ascii_lowercase();
        if lower == "null" {
            return Ok(Self::Null);
        }
        let any_port = lower.strip_suffix(":*");
        let address = any_port.unwrap_or(&lower);
        match address.split_once("://") {
            Some((scheme, authority))
                if !scheme.is_empty()
                    && !authority.is_empty()
                    && !authority.contains(['/', '*', '?', '#', '@', ' ']) => {}
            Some(_) | None => return Err(NoOrigin(text.to_owned())),
        }
        Ok(match any_port {
            Some(address) => Self::AnyPort(address.to_owned()),
            None => Self::Exact(lower),
        })
    }

    fn covers(&self, origin: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == origin,
            Self::AnyPort(address) => match origin.strip_prefix(address.as_str()) {
                Some("") => true,
                Some(rest) => rest.strip_prefix(':').is_some_and(is_port),
                None => false,
            },
            Self::Null => origin == "null",
        }
    }
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit())
}

/// The configured origins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedOrigins(Vec<AllowedOrigin>);

/// What the `Origin` header of a request means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// No page asks: a native program or another server.
    NoPage,
    /// A page that may ask; the header is echoed to it.
    Allowed(HeaderValue),
    /// A page that may not.
    Refused,
}

impl AllowedOrigins {
    /// The page of a developer's machine.
    #[must_use]
    pub fn local_page() -> Self {
        Self(vec![AllowedOrigin::Exact("http://localhost:3000".to_owned())])
    }

    /// Takes a comma list or several texts; empty parts are left out.
    ///
    /// # Errors
    /// A part is no origin.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, NoOrigin> {
        let parts = texts.into_iter().flat_map(|it| it.split(','));
        let parts = parts.filter(|it| !it.trim().is_empty());
        parts.map(AllowedOrigin::parse).collect::<Result<_, _>>().map(Self)
    }

    /// What the headers of a request say about the page behind it.
    #[must_use]
    pub fn judge(&self, headers: &HeaderMap) -> Verdict {
        let mut origins = headers.get_all(ORIGIN).iter();
        let Some(value) = origins.next() else { return Verdict::NoPage };
        if origins.next().is_some() {
            return Verdict::Refused;
        }
        let Ok(origin) = value.to_str() else { return Verdict::Refused };
        let origin = origin.to_ascii_lowercase();
        if self.0.iter().any(|it| it.covers(&origin)) || is_own_page(&origin, headers) {
            Verdict::Allowed(value.clone())
        } else {
            Verdict::Refused
        }
    }
}

/// Whether the page came from this node: host and port of its origin are those that were asked.
fn is_own_page(origin: &str, headers: &HeaderMap) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let Some(host) = headers.get(HOST).and_then(|it| it.to_str().ok()) else { return false };
    let default_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    let host = host.to_ascii_lowercase();
    let bare = |text: &str| text.strip_suffix(default_port).unwrap_or(text).to_owned();
    !authority.is_empty() && bare(authority) == bare(&host)
}

/// Adds what a browser asks for before it shows a response to the page at `origin`.
pub fn allow(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.append(VARY, HeaderValue::from_static("Origin"));
}

/// Adds the answer to a browser's preflight: methods, headers, and for how long it holds.
pub fn allow_preflight(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, OPTIONS"));
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("authorization, content-type"),
    );
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
}

impl<'de> Deserialize<'de> for AllowedOrigins {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OriginsVisitor)
    }
}

struct OriginsVisitor;

impl<'de> Visitor<'de> for OriginsVisitor {
    type Value = AllowedOrigins;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of origins, or one text with commas")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<AllowedOrigins, E> {
        AllowedOrigins::parse([text]).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<AllowedOrigins, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = list.next_element::<String>()? {
            texts.push(text);
        }
        AllowedOrigins::parse(texts.iter().map(String::as_str)).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(allowed: &str, origin: &str, expected: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("chat.example:8443"));
        headers.insert(ORIGIN, HeaderValue::from_str(origin).unwrap());
        let verdict = AllowedOrigins::parse([allowed]).unwrap().judge(&headers);
        let expected = if expected {
            Verdict::Allowed(HeaderValue::from_str(origin).unwrap())
        } else {
            Verdict::Refused
        };
        assert_eq!(verdict, expected, "{origin} with {allowed}");
    }

    #[test]
    fn only_listed_pages_and_the_nodes_own_may_speak() {
        let list = "https://app.example, http://localhost:*";
        check(list, "https://app.example", true);
        check(list, "HTTPS://App.Example", true);
        check(list, "https://evil.example", false);
        check(list, "https://app.example.evil.com", false);
        check(list, "https://app.example:444", false);
        check(list, "http://app.example", false);
        check(list, "null", false);
        check("null", "null", true);
        check(list, "http://localhost", true);
        check(list, "http://localhost:5173", true);
        check(list, "http://localhost:5173.evil.com", false);
        check(list, "http://localhost:", false);
        check(list, "http://localhost.evil.com", false);
        check(list, "https://chat.example:8443", true);
        check(list, "https://chat.example", false);
        check(list, "ftp://chat.example:8443", false);
        check("", "https://app.example", false);
    }

    #[test]
    fn the_default_port_of_a_scheme_may_be_left_out() {
        let own = |origin: &str, host: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static(host));
            is_own_page(origin, &headers)
        };
        assert!(own("https://chat.example", "chat.example:443"));
        assert!(own("http://chat.example:80", "chat.example"));
        assert!(own("https://chat.example", "chat.example"));
        assert!(!own("https://chat.example", "chat.example:80"));
    }

    #[test]
    fn a_program_without_an_origin_is_let_in_and_two_origins_are_not() {
        let allowed = AllowedOrigins::local_page();
        let mut headers = HeaderMap::new();
        assert_eq!(allowed.judge(&headers), Verdict::NoPage);
        headers.append(ORIGIN, HeaderValue::from_static("http://localhost:3000"));
        headers.append(ORIGIN, HeaderValue::from_static("https://evil.example"));
        assert_eq!(allowed.judge(&headers), Verdict::Refused);
    }

    #[test]
    fn a_list_and_a_comma_text_read_the_same() {
        let list: AllowedOrigins =
            serde_json::from_str(r#"["https://a.example","http://localhost:*"]"#).unwrap();
        let text: AllowedOrigins =
            serde_json::from_str(r#""https://a.example, http://localhost:*,""#).unwrap();
        assert_eq!(list, text);
        assert!(serde_json::from_str::<AllowedOrigins>(r#""*""#).is_err());
        assert!(serde_json::from_str::<AllowedOrigins>(r#""https://a.example/path""#).is_err());
    }
}
