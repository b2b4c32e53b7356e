//! Settings of the section `auth`.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::secret::Secret;

/// Which tokens are believed, and where in them things stand.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Shared secret of HS256 tokens.
    pub jwt_secret: Option<Secret<String>>,
    /// PEM file with the issuer's public key: RSA for RS256, P-256 for ES256, Ed25519 for EdDSA.
    pub public_key_file: Option<PathBuf>,
    /// The only `iss` that is taken; unset: any or none.
    pub issuer: Option<String>,
    /// What `aud` must be or contain; unset: not looked at.
    pub audience: Option<String>,
    /// Longest life of a token in days: longer ones are refused, and what was revoked is remembered
    /// for so long. 0: any life, and a year.
    pub token_days_max: u32,
    /// Cookies that may hold a token, in order.
    pub cookies: Vec<String>,
    /// Where claims stand in tokens of other issuers.
    pub claims: ClaimPaths,
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
            jwt_secret: None,
            public_key_file: None,
            issuer: None,
            audience: None,
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
}
