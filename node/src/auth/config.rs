//! Settings of the section `auth`.

use std::path::PathBuf;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use serde::Deserialize;

use crate::auth::key_set::USUAL;
use crate::auth::remote::RemoteUrl;
use crate::auth::trust::Mode;
use crate::secret::Secret;

/// What allows asking without TLS.
pub(crate) const PLAIN_HTTP: &str =
    "use https, or set auth.plain_http = true where the network is yours alone";

/// Which tokens are believed, and where in them things stand.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `jwt`: everybody shows a token; `trust`: clients that say who they are when they connect are
    /// believed without one. For trials only, and never beside a key.
    pub mode: Mode,
    /// Shared secret of HS256 tokens.
    pub jwt_secret: Option<Secret<String>>,
    /// PEM file with the issuer's public key: RSA for RS256, P-256 for ES256, Ed25519 for EdDSA.
    pub public_key_file: Option<PathBuf>,
    /// Where the issuer publishes its keys (RFC 7517).
    pub jwks_url: Option<RemoteUrl>,
    /// Algorithms that published keys may be used with. A key that names none gets the first one
    /// that its kind can do.
    pub algorithms: Vec<Algorithm>,
    /// The only `iss` that is taken; unset: any or none.
    pub issuer: Option<String>,
    /// What `aud` must be or contain; unset: not looked at.
    pub audience: Option<String>,
    /// Further issuers, each with keys and rules of its own.
    pub issuers: Vec<FurtherIssuer>,
    /// Whether keys may be read without TLS from another machine.
    pub plain_http: bool,
    /// Longest life of a token in days: longer ones are refused, and what was revoked is remembered
    /// for so long. 0: any life, and a year.
    pub token_days_max: u32,
    /// Cookies that may hold a token, in order.
    pub cookies: Vec<String>,
    /// Where claims stand in tokens of other issuers.
    pub claims: ClaimPaths,
}

/// One more issuer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FurtherIssuer {
    /// Its `iss`.
    pub issuer: String,
    /// What `aud` must be or contain; unset: not looked at.
    pub audience: Option<String>,
    /// Where it publishes its keys.
    pub jwks_url: Option<RemoteUrl>,
    /// PEM file with its public key.
    pub public_key_file: Option<PathBuf>,
    /// Algorithms that its published keys may be used with; unset: those of the section.
    pub algorithms: Option<Vec<Algorithm>>,
    /// Where claims stand in its tokens.
    #[serde(default)]
    pub claims: ClaimPaths,
}

/// What one issuer goes by, wherever that was written.
#[derive(Debug, Clone)]
pub(crate) struct IssuerConfig {
    pub(crate) jwt_secret: Option<Secret<String>>,
    pub(crate) public_key_file: Option<PathBuf>,
    pub(crate) jwks_url: Option<RemoteUrl>,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) issuer: Option<String>,
    pub(crate) audience: Option<String>,
    pub(crate) plain_http: bool,
    pub(crate) life_max: Option<Duration>,
    pub(crate) claims: ClaimPaths,
}

/// Dotted paths of claims (`app_metadata.role`); unset: the usual names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClaimPaths {
    /// The user's id.
    pub user: Option<String>,
    /// The display name.
    pub name: Option<String>,
    /// The role.
    pub role: Option<String>,
    /// The departments of an agent.
    pub departments: Option<String>,
    /// The rooms that are granted.
    pub rooms: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Jwt,
            jwt_secret: None,
            public_key_file: None,
            jwks_url: None,
            algorithms: USUAL.to_vec(),
            issuer: None,
            audience: None,
            issuers: Vec::new(),
            plain_http: false,
            token_days_max: 0,
            cookies: vec!["access_token".to_owned(), "sb-access-token".to_owned()],
            claims: ClaimPaths::default(),
        }
    }
}

impl Config {
    /// Longest life of a token; `None`: any.
    #[must_use]
    pub fn life_max(&self) -> Option<Duration> {
        let days = u64::from(self.token_days_max);
        (days != 0).then(|| Duration::from_hours(days * 24))
    }

    /// Whether the section itself names a key.
    #[must_use]
    pub fn has_key(&self) -> bool {
        self.jwt_secret.is_some() || self.public_key_file.is_some() || self.jwks_url.is_some()
    }

    /// Every issuer; that of the section itself first, if it has a key.
    pub(crate) fn all_issuers(&self) -> Vec<IssuerConfig> {
        let own = IssuerConfig {
            jwt_secret: self.jwt_secret.clone(),
            public_key_file: self.public_key_file.clone(),
            jwks_url: self.jwks_url.clone(),
            algorithms: self.algorithms.clone(),
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            plain_http: self.plain_http,
            life_max: self.life_max(),
            claims: self.claims.clone(),
        };
        let further = self.issuers.iter().map(|it| IssuerConfig {
            jwt_secret: None,
            public_key_file: it.public_key_file.clone(),
            jwks_url: it.jwks_url.clone(),
            algorithms: it.algorithms.clone().unwrap_or_else(|| self.algorithms.clone()),
            issuer: Some(it.issuer.clone()),
            audience: it.audience.clone(),
            plain_http: self.plain_http,
            life_max: self.life_max(),
            claims: it.claims.clone(),
        });
        self.has_key().then_some(own).into_iter().chain(further).collect()
    }
}
