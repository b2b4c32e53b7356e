//! The keys that tokens are checked with, each bound to one algorithm.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};

use crate::auth::AuthFailure;
use crate::auth::config::IssuerConfig;
use crate::auth::remote::RemoteUrl;
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
         PARLANCE_AUTH__JWT_SECRET or JWT_SECRET), auth.public_key_file, auth.jwks_url or \
         auth.issuers"
    )]
    Missing,
    /// One of several issuers has no key.
    #[error("{issuer} has no key: give it a jwks_url or a public_key_file")]
    Keyless {
        /// Which.
        issuer: String,
    },
    /// Two issuers have one name.
    #[error("{issuer} is there twice")]
    Twice {
        /// Which.
        issuer: String,
    },
    /// Keys would be read where anybody on the way could change them.
    #[error(
        "{url} is asked without TLS, so anybody on the way could give keys of their own: {cure}"
    )]
    PlainHttp {
        /// Where.
        url: RemoteUrl,
        /// What helps.
        cure: &'static str,
    },
    /// An algorithm that no published key may have.
    #[error("{0:?} is made with a shared secret, which is never published")]
    Shared(Algorithm),
    /// The machine has no root certificates.
    #[error("no issuer can be asked: {0}")]
    NoClient(String),
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
            Self::Keyless { .. } | Self::Twice { .. } => "auth.issuers",
            Self::PlainHttp { .. } | Self::NoClient(_) => "auth.jwks_url",
            Self::Shared(_) => "auth.algorithms",
        }
    }
}

/// One key and the only algorithm that it is used with.
#[derive(Debug)]
pub(crate) struct Key {
    algorithm: Algorithm,
    key: DecodingKey,
    /// Signature only: the claims are checked by our own rules, against a clock of our choice.
    signature: Validation,
}

/// What a token's header says that is looked at. Keys that it carries or points at never are.
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) algorithm: Algorithm,
    /// The name of the key; only ever compared.
    pub(crate) key: Option<String>,
}

impl Header {
    pub(crate) fn of(token: &Token) -> Result<Self, AuthFailure> {
        let text = token.expose();
        if TOKEN_BYTES_MAX < text.len() {
            return Err(AuthFailure::Invalid);
        }
        let header = decode_header(text).map_err(invalid)?;
        if header.crit.is_some() {
            return Err(AuthFailure::Invalid); // it demands an extension, and we know none
        }
        Ok(Self { algorithm: header.alg, key: header.kid })
    }
}

/// The keys in the configuration of one issuer, of different algorithms.
#[derive(Debug)]
pub(crate) struct Keys(Vec<Key>);

impl Keys {
    pub(crate) fn read(config: &IssuerConfig) -> Result<Self, KeyProblem> {
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
        Ok(Self(keys))
    }

    /// The key for an algorithm.
    pub(crate) fn find(&self, algorithm: Algorithm) -> Option<&Key> {
        self.0.iter().find(|it| it.algorithm == algorithm)
    }
}

/// The library's reason is dropped on purpose: clients get one text for all, and some of its errors
/// quote the token.
fn invalid(_: jsonwebtoken::errors::Error) -> AuthFailure {
    AuthFailure::Invalid
}

impl Key {
    pub(crate) fn new(algorithm: Algorithm, key: DecodingKey) -> Self {
        let mut signature = Validation::new(algorithm);
        signature.required_spec_claims.clear();
        signature.validate_exp = false;
        signature.validate_nbf = false;
        signature.validate_aud = false;
        Self { algorithm, key, signature }
    }

    /// The only algorithm that it is used with.
    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The claims of a token that is signed with this key.
    pub(crate) fn claims(&self, token: &Token) -> Result<Map<String, Value>, AuthFailure> {
        Ok(decode(token.expose(), &self.key, &self.signature).map_err(invalid)?.claims)
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
