//! Tokens as an application would issue them.

use jsonwebtoken::{EncodingKey, Header, encode, get_current_timestamp};
use serde_json::{Value, json};

/// What nodes under test verify with.
pub(crate) const SECRET: &str = "a secret that only tests know, long enough for HS256";

/// A good token for an hour. It says no name, so a protocol's own may stand for it.
pub(crate) fn token(user: &str) -> String {
    sign(&json!({ "sub": user, "role": "user", "exp": in_seconds(3_600) }))
}

/// A good signature under any claims.
pub(crate) fn sign(claims: &Value) -> String {
    sign_with(claims, SECRET)
}

/// A signature by any secret.
pub(crate) fn sign_with(claims: &Value, secret: &str) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

/// A time to put into claims.
pub(crate) fn in_seconds(seconds: i64) -> i64 {
    i64::try_from(get_current_timestamp()).unwrap() + seconds
}
