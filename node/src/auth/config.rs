//! Settings of the section `auth`.

use std::path::PathBuf;

use serde::Deserialize;

use crate::auth::trust::Mode;
use crate::secret::Secret;

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
    /// The only `iss` that is taken; unset: any or none.
    pub issuer: Option<String>,
    /// What `aud` must be or contain; unset: not looked at.
    pub audience: Option<String>,
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

impl Config {
    /// Whether there is a key to check tokens with.
    #[must_use]
    pub fn has_key(&self) -> bool {
        self.jwt_secret.is_some() || self.public_key_file.is_some()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Jwt,
            jwt_secret: None,
            public_key_file: None,
            issuer: None,
            audience: None,
            cookies: vec!["access_token".to_owned(), "sb-access-token".to_owned()],
            claims: ClaimPaths::default(),
        }
    }
}
