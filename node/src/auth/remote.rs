//! Something that is asked over HTTP: an issuer's keys, the application.
//!
//! Where it is comes from the configuration alone. An answer is bounded in time and size, and
//! redirects are not followed: they would lead where nobody has configured anything.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, StatusCode, Url};
use serde::{Deserialize, Deserializer, de};

use crate::secret::Secret;

/// Where something is asked; never holds a password.
#[derive(Clone, PartialEq, Eq)]
pub struct RemoteUrl(Url);

/// A text is no address to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlProblem {
    /// No URL at all, or one of another scheme.
    #[error("has to be an address that begins with https:// or http://")]
    Scheme,
    /// The URL holds a user or a password, which would stand in logs.
    #[error("may hold no user and no password")]
    Credentials,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// Not reached, or not within the time.
    #[error("{0}")]
    Unreachable(String),
    /// Another status than 200.
    #[error("answered {0}")]
    Status(StatusCode),
    /// More bytes than are read.
    #[error("answered more than {0} bytes")]
    TooLong(usize),
}

impl FromStr for RemoteUrl {
    type Err = UrlProblem;

    fn from_str(text: &str) -> Result<Self, UrlProblem> {
        let Ok(url) = Url::parse(text) else { return Err(UrlProblem::Scheme) };
        if !["https", "http"].contains(&url.scheme()) || !url.has_host() {
            return Err(UrlProblem::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlProblem::Credentials);
        }
        Ok(Self(url))
    }
}

impl<'de> Deserialize<'de> for RemoteUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What follows may be a secret of its own.
        write!(f, "{}{}", self.0.origin().ascii_serialization(), self.0.path())
    }
}

impl fmt::Debug for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl RemoteUrl {
    /// Whether anybody on the way to another machine could read and change what is said.
    #[must_use]
    pub fn is_open_to_all(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let is_here = host == "localhost" || bare.parse().is_ok_and(|it: IpAddr| it.is_loopback());
        self.0.scheme() == "http" && !is_here
    }
}

/// One address and how long and how much of an answer is waited for.
#[derive(Debug, Clone)]
pub struct Remote {
    client: Client,
    url: RemoteUrl,
    bytes_max: usize,
}

impl Remote {
    /// An answer takes at most `within`, connecting included, and has at most `bytes_max` bytes.
    ///
    /// # Errors
    /// The machine's root certificates cannot be read.
    pub fn new(url: RemoteUrl, within: Duration, bytes_max: usize) -> Result<Self, RemoteError> {
        let client = Client::builder()
            .timeout(within)
            .connect_timeout(within)
            .redirect(Policy::none())
            // Settings come from the configuration, not from the environment.
            .no_proxy()
            .user_agent(concat!("parlance/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(unreachable)?;
        Ok(Self { client, url, bytes_max })
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &RemoteUrl {
        &self.url
    }

    /// What lies there.
    ///
    /// # Errors
    /// It cannot be had.
    pub async fn get(&self) -> Result<Bytes, RemoteError> {
        self.ask(self.client.get(self.url.0.clone())).await
    }

    /// The answer to a JSON text, asked with `token` as bearer.
    ///
    /// # Errors
    /// It cannot be had.
    pub async fn post(
        &self,
        json: String,
        token: Option<&Secret<String>>,
    ) -> Result<Bytes, RemoteError> {
        let request = self.client.post(self.url.0.clone());
        let request = request.header(CONTENT_TYPE, "application/json").body(json);
        self.ask(match token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        })
        .await
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Bytes, RemoteError> {
        let mut response = request.send().await.map_err(unreachable)?;
        if response.status() != StatusCode::OK {
            return Err(RemoteError::Status(response.status()));
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if self.bytes_max < body.len() + chunk.len() {
                return Err(RemoteError::TooLong(self.bytes_max));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }
}

/// The library's text without the address, whose query may be a secret, and with its cause.
fn unreachable(error: reqwest::Error) -> RemoteError {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(deeper) = cause {
        text = format!("{text}: {deeper}");
        cause = deeper.source();
    }
    RemoteError::Unreachable(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_plain_and_shows_no_secret() {
        let open = |text: &str| text.parse().map(|it: RemoteUrl| it.is_open_to_all());
        assert_eq!(open("https://id.example/jwks?key=1"), Ok(false));
        assert_eq!(open("http://id.example/jwks"), Ok(true));
        for here in ["http://localhost:1/a", "http://127.0.0.9/", "http://[::1]:80/a"] {
            assert_eq!(open(here), Ok(false), "{here}");
        }
        assert_eq!(open("http://localhost.evil.example/"), Ok(true));
        for text in ["", "id.example/jwks", "file:///etc/passwd", "ftp://x/", "https://"] {
            assert_eq!(open(text), Err(UrlProblem::Scheme), "{text}");
        }
        assert_eq!(open("https://me:pw@id.example/"), Err(UrlProblem::Credentials));
        let url: RemoteUrl = "https://id.example/a?secret=1".parse().unwrap();
        assert_eq!(format!("{url} {url:?}"), "https://id.example/a https://id.example/a");
    }
}
