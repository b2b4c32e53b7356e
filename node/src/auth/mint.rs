//! Tokens of our own, for trying things out.

use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Map, Value, json};

use crate::auth::config::Config;
use crate::domain::id::UserId;
use crate::domain::role::Role;
use crate::domain::time::Timestamp;

/// Whom a new token names, and what it lets them do.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// The user.
    pub user: UserId,
    /// Display name.
    pub name: Option<String>,
    /// What they are.
    pub role: Role,
    /// Room ids or prefixes with `*`.
    pub rooms: Vec<String>,
    /// Departments of an agent.
    pub departments: Vec<String>,
    /// How long the token lives.
    pub ttl: Duration,
}

/// Why no token was made.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// Only a shared secret can sign.
    #[error("tokens can be made only where auth.jwt_secret is set")]
    NoSecret,
    /// The library could not sign.
    #[error("cannot sign: {0}")]
    Unsigned(#[from] jsonwebtoken::errors::Error),
}

/// Signs a token that a node with this configuration takes, issuer and claim paths included.
///
/// # Errors
/// There is no secret to sign with.
pub fn mint(config: &Config, wanted: &NewToken, now: Timestamp) -> Result<String, MintError> {
    let secret = config.jwt_secret.as_ref().ok_or(MintError::NoSecret)?;
    let mut claims = Map::new();
    let mut put = |path: Option<&str>, usual: &str, value: Value| {
        insert(&mut claims, path.unwrap_or(usual), value);
    };
    let paths = &config.claims;
    put(paths.user.as_deref(), "sub", json!(wanted.user.as_str()));
    put(paths.role.as_deref(), "role", json!(wanted.role.as_str()));
    if let Some(name) = &wanted.name {
        put(paths.name.as_deref(), "name", json!(name));
    }
    if !wanted.rooms.is_empty() {
        put(paths.rooms.as_deref(), "rooms", json!(wanted.rooms));
    }
    if !wanted.departments.is_empty() {
        put(paths.departments.as_deref(), "departments", json!(wanted.departments));
    }
    if let Some(issuer) = &config.issuer {
        put(None, "iss", json!(issuer));
    }
    if let Some(audience) = &config.audience {
        put(None, "aud", json!(audience));
    }
    let issued = now.0 / 1000;
    put(None, "iat", json!(issued));
    put(None, "exp", json!(issued.saturating_add(wanted.ttl.as_secs())));
    let key = EncodingKey::from_secret(secret.expose().as_bytes());
    Ok(encode(&Header::new(Algorithm::HS256), &claims, &key)?)
}

/// Puts a value at a dotted path. Where a shorter path already holds something else than an object,
/// the whole path becomes one name, which is found as well.
fn insert(claims: &mut Map<String, Value>, path: &str, value: Value) {
    let Some((head, rest)) = path.split_once('.') else {
        claims.insert(path.to_owned(), value);
        return;
    };
    match claims.entry(head).or_insert_with(|| json!({})) {
        Value::Object(below) => insert(below, rest, value),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            claims.insert(path.to_owned(), value);
        }
    }
}
