//! Tokens for the clients of a run, signed with the server's own secret (HS256).

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

/// Longer than any run may take.
const LIFE_SECONDS: u64 = 24 * 3600;

/// Signs tokens.
#[derive(Clone)]
pub(crate) struct Mint(EncodingKey);

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    name: &'a str,
    iat: u64,
    exp: u64,
}

impl Mint {
    pub(crate) fn new(secret: &str) -> Self {
        Self(EncodingKey::from_secret(secret.as_bytes()))
    }

    /// A token for this user.
    ///
    /// # Errors
    /// The library could not sign.
    pub(crate) fn token(&self, user: &str) -> Result<String, jsonwebtoken::errors::Error> {
        let now = unix_seconds();
        let claims = Claims { sub: user, name: user, iat: now, exp: now + LIFE_SECONDS };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.0)
    }
}

impl fmt::Debug for Mint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mint")
    }
}

/// Seconds since 1970, by wall time: tokens and names of runs need it, nothing is measured by it.
pub(crate) fn unix_seconds() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a token's times are wall times")]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_verifies_with_the_secret_and_names_its_user() {
        let token = Mint::new("secret-for-tests").token("ann").unwrap();
        let key = jsonwebtoken::DecodingKey::from_secret(b"secret-for-tests");
        let validation = jsonwebtoken::Validation::new(Algorithm::HS256);
        let read = jsonwebtoken::decode::<serde_json::Value>(&token, &key, &validation).unwrap();
        assert_eq!(read.claims["sub"], "ann");
        assert!(!format!("{:?}", Mint::new("hush")).contains("hush"));
    }
}
