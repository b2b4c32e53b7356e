//! The keys that an issuer publishes (RFC 7517), each bound to one algorithm.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use crate::auth::key::Key;

/// Keys of one issuer: one that is used, some that were and will be.
const KEYS_MAX: usize = 64;

/// What algorithms an issuer's keys may be used with, unless the configuration says otherwise.
pub(crate) const USUAL: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

/// Keys by their names.
#[derive(Debug, Default)]
pub(crate) struct KeySet(Vec<(Option<String>, Key)>);

/// Why a document is no set of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoKeySet {
    #[error("is no JSON object with a list `keys`")]
    Malformed,
    #[error("holds no key for an algorithm that is allowed")]
    Empty,
    #[error("holds more than {KEYS_MAX} keys")]
    TooLong,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// What was found for a token's header.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    /// This key, and only this.
    Key(&'a Key),
    /// The named key is there, and is for another algorithm; or none is named where several fit.
    Unfit,
    /// No key has this name.
    UnknownName,
}

impl KeySet {
    /// Reads a document. What is no key for signatures is passed over: others may use it.
    pub(crate) fn parse(document: &[u8], allowed: &[Algorithm]) -> Result<Self, NoKeySet> {
        let document: Document =
            serde_json::from_slice(document).map_err(|_not_said| NoKeySet::Malformed)?;
        if KEYS_MAX < document.keys.len() {
            return Err(NoKeySet::TooLong);
        }
        let jwks = document.keys.into_iter().filter_map(|it| serde_json::from_value(it).ok());
        let keys: Vec<_> = jwks.filter_map(|jwk: Jwk| usable(&jwk, allowed)).collect();
        if keys.is_empty() { Err(NoKeySet::Empty) } else { Ok(Self(keys)) }
    }

    /// The key for a header that names this algorithm and, perhaps, a key.
    pub(crate) fn find(&self, algorithm: Algorithm, name: Option<&str>) -> Found<'_> {
        let mut fitting = self.0.iter().filter(|(_, key)| key.algorithm() == algorithm);
        let Some(name) = name else {
            return match (fitting.next(), fitting.next()) {
                (Some((_, only)), None) => Found::Key(only),
                (Some(_), Some(_)) => Found::Unfit,
                (None, _) => Found::UnknownName,
            };
        };
        if let Some((_, key)) = fitting.find(|(it, _)| it.as_deref() == Some(name)) {
            return Found::Key(key);
        }
        let is_there = self.0.iter().any(|(it, _)| it.as_deref() == Some(name));
        if is_there { Found::Unfit } else { Found::UnknownName }
    }
}

/// The key and its name, if it may sign tokens.
fn usable(jwk: &Jwk, allowed: &[Algorithm]) -> Option<(Option<String>, Key)> {
    let is_to_encrypt = match &jwk.common.public_key_use {
        Some(PublicKeyUse::Encryption) => true,
        Some(PublicKeyUse::Signature | PublicKeyUse::Other(_)) | None => false,
    };
    if is_to_encrypt {
        return None;
    }
    let algorithm = algorithm_of(jwk, allowed)?;
    let key = DecodingKey::from_jwk(jwk).ok()?;
    Some((jwk.common.key_id.clone(), Key::new(algorithm, key)))
}

/// The one algorithm that a key is used with: the one that it names, else the first allowed one that
/// its kind can do. A shared secret is never published, so one that is counts for nothing.
fn algorithm_of(jwk: &Jwk, allowed: &[Algorithm]) -> Option<Algorithm> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    let fitting: &[Algorithm] = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => &[RS256, RS384, RS512, PS256, PS384, PS512],
        AlgorithmParameters::EllipticCurve(it) if it.curve == EllipticCurve::P256 => &[ES256],
        AlgorithmParameters::EllipticCurve(it) if it.curve == EllipticCurve::P384 => &[ES384],
        AlgorithmParameters::OctetKeyPair(it) if it.curve == EllipticCurve::Ed25519 => &[EdDSA],
        AlgorithmParameters::EllipticCurve(_)
        | AlgorithmParameters::OctetKeyPair(_)
        | AlgorithmParameters::OctetKey(_)
        | AlgorithmParameters::Other(_) => &[],
        // The library may learn of further kinds.
        _ => &[],
    };
    let may = |it: &Algorithm| fitting.contains(it) && allowed.contains(it);
    match jwk.common.key_algorithm {
        Some(named) => Algorithm::try_from(named).ok().filter(may),
        None => allowed.iter().copied().find(may),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Coordinates and moduli of no real key: what matters here is which algorithm they get.
    fn check(key: &Value, allowed: &[Algorithm], expected: Option<Algorithm>) {
        let mut key = key.clone();
        key["kid"] = json!("k");
        let document = json!({ "keys": [key, { "kty": "unheard of" }, 7] }).to_string();
        let found = KeySet::parse(document.as_bytes(), allowed).ok();
        let found = found.and_then(|it| it.0.first().map(|(_, key)| key.algorithm()));
        assert_eq!(found, expected, "{key}");
    }

    #[test]
    fn a_key_is_bound_to_one_algorithm_that_is_allowed() {
        let rsa = json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB" });
        let with = |mut key: Value, name: &str, value: &str| {
            key[name] = json!(value);
            key
        };
        check(&rsa, &USUAL, Some(Algorithm::RS256));
        check(&rsa, &[Algorithm::PS256], Some(Algorithm::PS256));
        check(&with(rsa.clone(), "alg", "RS512"), &USUAL, None);
        check(&with(rsa.clone(), "alg", "ES256"), &USUAL, None);
        check(&with(rsa.clone(), "alg", "HS256"), &[Algorithm::HS256], None);
        check(&with(rsa, "use", "enc"), &USUAL, None);
        let ec = json!({ "kty": "EC", "crv": "P-256", "x": "AQAB", "y": "AQAB" });
        check(&ec, &USUAL, Some(Algorithm::ES256));
        check(&with(ec, "crv", "P-384"), &USUAL, None);
        let ed = json!({ "kty": "OKP", "crv": "Ed25519", "x": "AQAB" });
        check(&ed, &USUAL, Some(Algorithm::EdDSA));
        check(&ed, &[Algorithm::RS256], None);
        let secret = json!({ "kty": "oct", "k": "AQAB" });
        check(&secret, &[Algorithm::HS256], None);
        check(&with(secret, "alg", "HS256"), &[Algorithm::HS256], None);
    }

    #[test]
    fn what_is_no_set_of_keys_is_named() {
        let many = json!({ "keys": vec![json!({}); KEYS_MAX + 1] }).to_string();
        for (document, problem) in [
            ("", NoKeySet::Malformed),
            ("[]", NoKeySet::Malformed),
            ("<html>", NoKeySet::Malformed),
            (r#"{"keys":{}}"#, NoKeySet::Malformed),
            (r#"{"keys":[]}"#, NoKeySet::Empty),
            (&many, NoKeySet::TooLong),
        ] {
            assert_eq!(KeySet::parse(document.as_bytes(), &USUAL).err(), Some(problem));
        }
    }

    #[test]
    fn a_key_is_found_by_its_name_and_without_one_only_where_it_is_alone() {
        use Algorithm::{ES256, EdDSA, RS256};
        let rsa = |name: &str| json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": name });
        let ed = json!({ "kty": "OKP", "crv": "Ed25519", "x": "AQAB", "kid": "c" });
        let document = json!({ "keys": [rsa("a"), rsa("b"), ed] }).to_string();
        let keys = KeySet::parse(document.as_bytes(), &USUAL).unwrap();
        assert!(matches!(keys.find(RS256, Some("b")), Found::Key(_)));
        assert!(matches!(keys.find(EdDSA, Some("b")), Found::Unfit));
        assert!(matches!(keys.find(RS256, Some("../b")), Found::UnknownName));
        assert!(matches!(keys.find(RS256, None), Found::Unfit));
        assert!(matches!(keys.find(EdDSA, None), Found::Key(_)));
        assert!(matches!(keys.find(ES256, None), Found::UnknownName));
    }
}
