//! The keys that tokens are checked with, each bound to one algorithm.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};

use crate::auth::AuthFailure;
use crate::auth::config::Config;
use crate::auth::trust::Mode;
use crate::domain::command::Token;

/// Longest token in bytes: some issuers list hundreds of rooms, and headers end at 16 KiB anyway.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// An uncompressed point of P-256, the only curve of ES256: one byte of form, two of 32.
const P256_POINT_BYTES: usize = 65;

/// Why the configured keys are of no use.
#[derive(Debug, thiserror::Error)]
pub enum KeyProblem {
    /// Neither a secret nor a public key is configured.
    #[error(
        "tokens cannot be checked without a key: set auth.jwt_secret (environment: \
         PARLANCE_AUTH__JWT_SECRET or JWT_SECRET) or auth.public_key_file"
    )]
    Missing,
    /// The secret is there and empty.
    #[error("is empty: give the secret that the tokens are signed with")]
    EmptySecret,
    /// The file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The file holds something else.
    #[error(
        "{} holds no public key of RSA, P-256 or Ed25519: give a PEM file that begins with \
         -----BEGIN PUBLIC KEY-----", path.display()
    )]
    Unsuitable {
        /// Which file.
        path: PathBuf,
    },
}

impl KeyProblem {
    /// The setting that cures it.
    #[must_use]
    pub fn setting(&self) -> &'static str {
        match self {
            Self::Missing | Self::EmptySecret => "auth.jwt_secret",
            Self::Unreadable { .. } | Self::Unsuitable { .. } => "auth.public_key_file",
        }
    }
}

/// One key and the only algorithm that it is used with.
#[derive(Debug)]
struct Key {
    key: DecodingKey,
    /// Signature only: the claims are checked by our own rules, against a clock of our choice.
    signature: Validation,
}

/// All configured keys, of different algorithms.
#[derive(Debug)]
pub(crate) struct Keys(Vec<Key>);

impl Keys {
    pub(crate) fn read(config: &Config) -> Result<Self, KeyProblem> {
        let mut keys = Vec::new();
        if let Some(secret) = &config.jwt_secret {
            if secret.expose().is_empty() {
                return Err(KeyProblem::EmptySecret);
            }
            let key = DecodingKey::from_secret(secret.expose().as_bytes());
            keys.push(Key::new(Algorithm::HS256, key));
        }
        if let Some(path) = &config.public_key_file {
            keys.push(read_public(path)?);
        }
        if keys.is_empty() && config.mode == Mode::Jwt {
            return Err(KeyProblem::Missing);
        }
        Ok(Self(keys))
    }

    /// The claims of a token whose signature is right.
    ///
    /// The header only selects among configured keys by their algorithm. Keys that it carries or
    /// points at are never looked at.
    pub(crate) fn signed_claims(&self, token: &Token) -> Result<Map<String, Value>, AuthFailure> {
        let text = token.expose();
        if TOKEN_BYTES_MAX < text.len() {
            return Err(AuthFailure::Invalid);
        }
        let header = decode_header(text).map_err(invalid)?;
        if header.crit.is_some() {
            return Err(AuthFailure::Invalid); // it demands an extension, and we know none
        }
        let is_for = |it: &&Key| it.signature.algorithms.contains(&header.alg);
        let key = self.0.iter().find(is_for).ok_or(AuthFailure::Invalid)?;
        let token = decode(text, &key.key, &key.signature).map_err(invalid)?;
        Ok(token.claims)
    }
}

/// The library's reason is dropped on purpose: clients get one text for all, and some of its errors
/// quote the token.
fn invalid(_: jsonwebtoken::errors::Error) -> AuthFailure {
    AuthFailure::Invalid
}

impl Key {
    fn new(algorithm: Algorithm, key: DecodingKey) -> Self {
        let mut signature = Validation::new(algorithm);
        signature.required_spec_claims.clear();
        signature.validate_exp = false;
        signature.validate_nbf = false;
        signature.validate_aud = false;
        Self { key, signature }
    }
}

fn read_public(path: &Path) -> Result<Key, KeyProblem> {
    let pem =
        fs::read(path).map_err(|error| KeyProblem::Unreadable { path: path.to_owned(), error })?;
    public_key(&pem).ok_or_else(|| KeyProblem::Unsuitable { path: path.to_owned() })
}

/// The key's own type says which algorithm it is for.
fn public_key(pem: &[u8]) -> Option<Key> {
    // The library also takes private keys and certificates, and then checks with the wrong bytes.
    let text = str::from_utf8(pem).ok()?;
    if !text.contains("-----BEGIN PUBLIC KEY-----")
        && !text.contains("-----BEGIN RSA PUBLIC KEY-----")
    {
        return None;
    }
    if let Ok(key) = DecodingKey::from_rsa_pem(pem) {
        return Some(Key::new(Algorithm::RS256, key));
    }
    if let Ok(key) = DecodingKey::from_ec_pem(pem) {
        let point = key.try_get_as_bytes().ok()?;
        return (point.len() == P256_POINT_BYTES).then(|| Key::new(Algorithm::ES256, key));
    }
    DecodingKey::from_ed_pem(pem).ok().map(|key| Key::new(Algorithm::EdDSA, key))
}
