//! Who asks.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Digest, SHA256, digest};
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::http::api::config::{Config, Scope};

/// A key that is known here. Its secret is not kept, only a digest.
#[derive(Debug)]
struct Known {
    name: Arc<str>,
    scopes: Vec<Scope>,
    digest: Digest,
}

/// All keys.
#[derive(Debug)]
pub(super) struct Keys(Vec<Known>);

/// Whoever showed a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bearer<'a> {
    pub(super) name: &'a Arc<str>,
    scopes: &'a [Scope],
}

impl Bearer<'_> {
    pub(super) fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }
}

impl Keys {
    /// The configured keys, which were checked; `None`: there is none.
    pub(super) fn read(config: &Config) -> Option<Self> {
        let keys = config.parsed().ok().filter(|it| !it.is_empty())?;
        let known = keys.into_iter().map(|key| Known {
            name: Arc::from(key.name),
            scopes: key.scopes,
            digest: digest(&SHA256, key.secret.as_bytes()),
        });
        Some(Self(known.collect()))
    }

    /// Whose key the `Authorization` header shows. Digests are compared in constant time and each
    /// with all, so the time tells neither a part of a secret nor which key is close.
    pub(super) fn bearer(&self, headers: &HeaderMap) -> Option<Bearer<'_>> {
        let shown = headers.get(AUTHORIZATION)?.to_str().ok()?;
        let (scheme, secret) = shown.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let shown = digest(&SHA256, secret.trim().as_bytes());
        let mut found = None;
        for key in &self.0 {
            if verify_slices_are_equal(key.digest.as_ref(), shown.as_ref()).is_ok() {
                found = Some(key);
            }
        }
        found.map(|key| Bearer { name: &key.name, scopes: &key.scopes })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::secret::Secret;

    #[test]
    fn only_a_whole_secret_is_a_key() {
        let secret = "a secret that is long enough to be one";
        let keys = format!("crm:rooms:{secret}");
        let config = Config { keys: Some(Secret::new(keys)), ..Config::default() };
        let keys = Keys::read(&config).unwrap();
        let bearer = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_str(text).unwrap());
            keys.bearer(&headers).map(|it| it.may(Scope::Rooms) && !it.may(Scope::Read))
        };
        assert_eq!(bearer(&format!("Bearer {secret}")), Some(true));
        assert_eq!(bearer(&format!("bearer {secret}")), Some(true));
        for wrong in [secret, "Bearer", "Bearer ", "Basic crm", &format!("Bearer {secret}!")] {
            assert_eq!(bearer(wrong), None, "{wrong}");
        }
        assert_eq!(bearer(&format!("Bearer {}", &secret[1..])), None);
        assert!(keys.bearer(&HeaderMap::new()).is_none());
        assert!(!format!("{keys:?}").contains(secret));
    }
}
