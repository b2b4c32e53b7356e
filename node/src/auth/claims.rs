//! What the claims of a well signed token mean.
//!
//! A claim that is there must have its type, or the whole token is refused: a mistake of an issuer
//! then shows at once, instead of as a missing right. A null counts as absent.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::auth::config::{ClaimPaths, IssuerConfig};
use crate::auth::{AuthFailure, Identity};
use crate::domain::id::{TokenId, UserId};
use crate::domain::role::{Actor, FullName, Grant, Participant, Role, display_name};
use crate::domain::time::Timestamp;

type Claims = Map<String, Value>;

/// How far the clocks of issuer and node may differ.
const LEEWAY_MS: u64 = 30_000;

/// End of the year 9999 in seconds since 1970: what follows is no time that JavaScript can show.
const SECONDS_MAX: u64 = 253_402_300_799;

const USER_NAMES: [&str; 3] = ["sub", "userId", "id"];
const NAME_NAMES: [&str; 3] = ["name", "username", "userName"];

/// What is asked of the claims.
#[derive(Debug)]
pub(crate) struct Rules {
    issuer: Option<String>,
    audience: Option<String>,
    paths: ClaimPaths,
    /// Longest life of a token.
    life_ms_max: Option<u64>,
}

impl Rules {
    pub(crate) fn new(config: &IssuerConfig) -> Self {
        Self {
            issuer: config.issuer.clone(),
            audience: config.audience.clone(),
            paths: config.claims.clone(),
            life_ms_max: config.life_max.and_then(|it| u64::try_from(it.as_millis()).ok()),
        }
    }

    /// Who these claims name at `now`.
    pub(crate) fn identity(
        &self,
        claims: &Claims,
        now: Timestamp,
    ) -> Result<Identity, AuthFailure> {
        let expires_at = lifetime(claims, now)?;
        self.check_issuer(claims)?;
        self.check_audience(claims)?;
        let actor = self.actor(claims).ok_or(AuthFailure::Claims)?;
        let issued_at = issued_at(claims).ok_or(AuthFailure::Claims)?;
        self.check_length(issued_at.unwrap_or(now), expires_at)?;
        let token = token_id(claims).ok_or(AuthFailure::Claims)?;
        Ok(Identity { actor, expires_at, token, issued_at })
    }

    fn check_issuer(&self, claims: &Claims) -> Result<(), AuthFailure> {
        let Some(wanted) = &self.issuer else { return Ok(()) };
        let is_wanted = claims.get("iss").and_then(Value::as_str) == Some(wanted);
        if is_wanted { Ok(()) } else { Err(AuthFailure::Claims) }
    }

    fn check_audience(&self, claims: &Claims) -> Result<(), AuthFailure> {
        let Some(wanted) = &self.audience else { return Ok(()) };
        let is_wanted = match claims.get("aud") {
            Some(Value::String(one)) => one == wanted,
            Some(Value::Array(many)) => many.iter().any(|it| it.as_str() == Some(wanted)),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => {
                false
            }
        };
        if is_wanted { Ok(()) } else { Err(AuthFailure::Claims) }
    }

    fn check_length(&self, from: Timestamp, to: Timestamp) -> Result<(), AuthFailure> {
        let is_short = self.life_ms_max.is_none_or(|it| to.0 <= from.0.saturating_add(it));
        if is_short { Ok(()) } else { Err(AuthFailure::Claims) }
    }

    /// `None`: a claim is missing or has the wrong type.
    fn actor(&self, claims: &Claims) -> Option<Actor> {
        let paths = &self.paths;
        let id = id_text(first(claims, paths.user.as_deref(), &USER_NAMES)?)?;
        let id = UserId::parse(&id).ok()?;
        let full_name = full_name(claims)?;
        let name = match first(claims, paths.name.as_deref(), &NAME_NAMES) {
            Some(name) => display_name(name.as_str()?),
            None => display_name(&format!("{} {}", full_name.given, full_name.family)),
        };
        let role = match first(claims, paths.role.as_deref(), &["role"]) {
            Some(role) => Role::from_claim(role.as_str()?),
            None => Role::User,
        };
        let departments = texts(first(claims, paths.departments.as_deref(), &["departments"]))?;
        let rooms = texts(first(claims, paths.rooms.as_deref(), &["rooms"]))?;
        Some(Actor {
            is_named: name.is_some(),
            participant: Participant {
                name: name.unwrap_or_else(|| id.to_string()),
                id,
                role,
                full_name: (full_name != FullName::default()).then(|| Box::new(full_name)),
            },
            // What is no room id covers no room, so it can be left out.
            grants: rooms.iter().filter_map(|it| Grant::parse(it)).collect(),
            departments,
        })
    }
}

/// The parts of the name, empty where they are not told; `None`: one has the wrong type.
fn full_name(claims: &Claims) -> Option<FullName> {
    let part = |name| match first(claims, None, &[name]) {
        Some(part) => Some(display_name(part.as_str()?).unwrap_or_default()),
        None => Some(String::new()),
    };
    Some(FullName { given: part("given_name")?, family: part("family_name")? })
}

/// When the token ends, if it lives at `now`.
fn lifetime(claims: &Claims, now: Timestamp) -> Result<Timestamp, AuthFailure> {
    let expires_at = claims.get("exp").and_then(time).ok_or(AuthFailure::Claims)?;
    if expires_at.0 + LEEWAY_MS <= now.0 {
        return Err(AuthFailure::Expired);
    }
    if let Some(not_before) = claims.get("nbf").filter(|it| !it.is_null()) {
        let begins_at = time(not_before).ok_or(AuthFailure::Claims)?;
        if now.0 + LEEWAY_MS < begins_at.0 {
            return Err(AuthFailure::Expired);
        }
    }
    Ok(expires_at)
}

/// When the token was issued; `Some(None)`: it does not say.
fn issued_at(claims: &Claims) -> Option<Option<Timestamp>> {
    match first(claims, None, &["iat", "nbf"]) {
        Some(at) => time(at).map(Some),
        None => Some(None),
    }
}

/// The token's own id. A text that is no id of ours is as good as none: it cannot be taken back by
/// it, and whoever tries is told.
fn token_id(claims: &Claims) -> Option<Option<TokenId>> {
    match first(claims, None, &["jti"]) {
        Some(id) => id_text(id).map(|it| TokenId::parse(&it).ok()),
        None => Some(None),
    }
}

/// A point in time as tokens write it: seconds since 1970, perhaps with a fraction.
fn time(value: &Value) -> Option<Timestamp> {
    let since_1970 = match value.as_u64() {
        Some(seconds) => Duration::from_secs(seconds),
        None => Duration::try_from_secs_f64(value.as_f64()?).ok()?,
    };
    if SECONDS_MAX < since_1970.as_secs() {
        return None;
    }
    u64::try_from(since_1970.as_millis()).ok().map(Timestamp)
}

/// The claim at the configured path, else the first that is there under one of the usual names.
fn first<'a>(claims: &'a Claims, path: Option<&str>, usual: &[&str]) -> Option<&'a Value> {
    match path {
        Some(path) => at_path(claims, path),
        None => usual.iter().find_map(|it| claims.get(*it).filter(|it| !it.is_null())),
    }
}

/// The claim at a dotted path. A claim whose own name has dots (`https://example.com/role`) is
/// found too, as some issuers demand such names.
fn at_path<'a>(claims: &'a Claims, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path) {
        return Some(value).filter(|it| !it.is_null());
    }
    path.match_indices('.').find_map(|(dot, _)| {
        let below = claims.get(&path[..dot])?.as_object()?;
        at_path(below, &path[dot + 1..])
    })
}

/// An id as text; numbers are ids too.
fn id_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if !number.is_f64() => Some(number.to_string()),
        Value::Number(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            None
        }
    }
}

/// The ids of a list; an absent list is empty.
fn texts(list: Option<&Value>) -> Option<Vec<String>> {
    match list {
        Some(list) => list.as_array()?.iter().map(id_text).collect(),
        None => Some(Vec::new()),
    }
}
