//! Somebody whose tokens are believed: with which keys, and what their claims have to say.

use std::collections::BTreeSet;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde_json::Value;

use crate::auth::claims::Rules;
use crate::auth::config::{IssuerConfig, PLAIN_HTTP};
use crate::auth::jwks::Jwks;
use crate::auth::key::{Header, KeyProblem, Keys};
use crate::auth::remote::Remote;
use crate::auth::{AuthFailure, Identity};
use crate::domain::command::Token;
use crate::domain::time::Timestamp;
use crate::lifecycle::Lifecycle;

/// How long reading an issuer's keys may take.
const READ_MAX: Duration = Duration::from_secs(3);

/// Bytes of a set of keys: the largest of RSA need less than 1 KiB each.
const KEY_SET_BYTES_MAX: usize = 256 * 1024;

/// One issuer.
#[derive(Debug)]
pub(crate) struct Issuer {
    /// Its `iss`; `None`: tokens of any name.
    pub(crate) name: Option<String>,
    keys: Keys,
    jwks: Option<Jwks>,
    rules: Rules,
}

impl Issuer {
    /// Reads its keys; those that are published are read from now on.
    pub(crate) fn new(config: &IssuerConfig, lifecycle: &Lifecycle) -> Result<Self, KeyProblem> {
        let jwks = match &config.jwks_url {
            Some(url) => {
                let remote = Remote::new(url.clone(), READ_MAX, KEY_SET_BYTES_MAX)
                    .map_err(|error| KeyProblem::NoClient(error.to_string()))?;
                Some(Jwks::start(remote, config.algorithms.clone(), lifecycle))
            }
            None => None,
        };
        let keys = Keys::read(config)?;
        Ok(Self { name: config.issuer.clone(), keys, jwks, rules: Rules::new(config) })
    }

    /// Who the bearer of a token of this issuer is.
    pub(crate) fn judge(
        &self,
        token: &Token,
        header: &Header,
        now: Timestamp,
    ) -> Result<Identity, AuthFailure> {
        let own = self.keys.find(header.algorithm).map(|key| key.claims(token));
        let claims = match (own, &self.jwks) {
            (Some(Ok(claims)), _) => claims,
            (_, Some(jwks)) => jwks.with_key(header, |key| key.claims(token))?,
            (own, None) => own.unwrap_or(Err(AuthFailure::Invalid))?,
        };
        self.rules.identity(&claims, now)
    }

    /// Resolves when the issuer's keys were read anew, or could not be.
    pub(crate) async fn read_again(&self) {
        if let Some(jwks) = &self.jwks {
            jwks.read_again().await;
        }
    }
}

/// Whether an issuer's settings can be used; `names` are those of issuers before it.
pub(crate) fn check<'a>(
    config: &'a IssuerConfig,
    names: &mut BTreeSet<&'a str>,
) -> Result<(), KeyProblem> {
    Keys::read(config)?;
    let issuer = config.issuer.clone().unwrap_or_default();
    if let Some(name) = &config.issuer
        && !names.insert(name)
    {
        return Err(KeyProblem::Twice { issuer });
    }
    let has_key = config.jwt_secret.is_some() || config.public_key_file.is_some();
    match &config.jwks_url {
        None if !has_key => Err(KeyProblem::Keyless { issuer }),
        Some(url) if url.is_open_to_all() && !config.plain_http => {
            Err(KeyProblem::PlainHttp { url: url.clone(), cure: PLAIN_HTTP })
        }
        Some(_) | None => {
            let shared = [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
            match config.algorithms.iter().find(|it| shared.contains(it)) {
                Some(algorithm) => Err(KeyProblem::Shared(*algorithm)),
                None => Ok(()),
            }
        }
    }
}

#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    iss: Value,
}

/// Whose token it says it is. Nothing is believed by that: it only tells whose keys and rules to
/// judge it by, and they ask for the same name again.
pub(crate) fn named_by(token: &Token) -> Option<String> {
    let named: Named = jsonwebtoken::dangerous::insecure_decode_claims(token.expose()).ok()?;
    named.iss.as_str().map(str::to_owned)
}
