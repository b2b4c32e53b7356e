//! Who may use the server API.

use std::num::NonZeroU64;

use serde::Deserialize;

use crate::secret::Secret;

/// Shortest secret of a key: nobody guesses it.
pub const SECRET_BYTES_MIN: usize = 32;

/// What a key lets its bearer do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Read whatever there is but the audit.
    Read,
    /// Make and change rooms, and who belongs to them.
    Rooms,
    /// Write, change and take away messages, and move read marks.
    Messages,
    /// Tell users things, bar them, put them out and take back their tokens.
    Users,
    /// Read the audit, with the addresses of people.
    Audit,
}

impl Scope {
    /// All there are.
    pub const ALL: [Self; 5] = [Self::Read, Self::Rooms, Self::Messages, Self::Users, Self::Audit];

    /// As configuration and the document write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Rooms => "rooms",
            Self::Messages => "messages",
            Self::Users => "users",
            Self::Audit => "audit",
        }
    }

    /// The scopes that a text names: some of them between `+`, or `*` for all.
    fn parse(text: &str) -> Option<Vec<Self>> {
        if text == "*" {
            return Some(Self::ALL.to_vec());
        }
        text.split('+').map(|it| Self::ALL.into_iter().find(|scope| scope.as_str() == it)).collect()
    }
}

/// Section `api`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Keys, between commas: `name:scopes:secret` each. None: there is no server API.
    pub keys: Option<Secret<String>>,
    /// Whether entries of all rooms are noted in one feed, on every node alike.
    pub feed: bool,
    /// Batches that the feed at least keeps.
    pub feed_batches: NonZeroU64,
}

impl Default for Config {
    fn default() -> Self {
        Self { keys: None, feed: false, feed_batches: NonZeroU64::MIN.saturating_add(99_999) }
    }
}

/// A key as it is configured. It cannot be printed.
pub(super) struct Key<'a> {
    pub(super) name: &'a str,
    pub(super) scopes: Vec<Scope>,
    pub(super) secret: &'a str,
}

impl Config {
    /// Batches that the feed at least keeps; 0: there is none.
    #[must_use]
    pub fn feed_kept(&self) -> u64 {
        if self.feed { self.feed_batches.get() } else { 0 }
    }
}

impl<'a> Key<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (name, rest) = text.split_once(':')?;
        let (scopes, secret) = rest.split_once(':')?;
        let scopes = Scope::parse(scopes)?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let is_name = !name.is_empty() && name.chars().all(is_plain);
        let is_key = is_name && SECRET_BYTES_MIN <= secret.len();
        is_key.then_some(Self { name, scopes, secret })
    }
}

impl Config {
    /// The keys; `Err`: the number of the first that is none, from 1.
    pub(super) fn parsed(&self) -> Result<Vec<Key<'_>>, usize> {
        let Some(keys) = &self.keys else { return Ok(Vec::new()) };
        let texts = keys.expose().split(',').map(str::trim);
        let keys = texts.enumerate().map(|(index, text)| Key::parse(text).ok_or(index + 1));
        keys.collect()
    }

    /// All mistakes, each with the setting's name and its cure. No part of a key is told.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let keys = match self.parsed() {
            Ok(keys) => keys,
            Err(number) => {
                return vec![format!(
                    "api.keys: key {number} has to be name:scopes:secret, the scopes * or some of \
                     read, rooms, messages, users and audit between +, the secret at \
                     least {SECRET_BYTES_MIN} bytes without a comma"
                )];
            }
        };
        let mut names: Vec<&str> = keys.iter().map(|it| it.name).collect();
        names.sort_unstable();
        let twice = names.windows(2).find(|pair| pair[0] == pair[1]);
        twice.map(|pair| format!("api.keys: two keys are called {}", pair[0])).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(keys: &str) -> Config {
        Config { keys: Some(Secret::new(keys.to_owned())), ..Config::default() }
    }

    #[test]
    fn keys_have_a_name_scopes_and_a_long_secret() {
        let secret = "s:e".repeat(11);
        let good = config(&format!("crm:rooms+users:{secret}, ops:*:{secret}"));
        let keys = good.parsed().unwrap();
        assert_eq!((keys[0].name, keys[0].secret), ("crm", secret.as_str()));
        assert_eq!(keys[0].scopes, [Scope::Rooms, Scope::Users]);
        assert_eq!(keys[1].scopes, Scope::ALL);
        assert!(good.problems().is_empty());
        for wrong in
            ["", "crm", "crm:*:short", &format!("crm:all:{secret}"), &format!(":*:{secret}")]
        {
            let problems = config(wrong).problems();
            assert!(problems[0].starts_with("api.keys: key 1 has to be"), "{wrong}");
            assert!(!problems[0].contains(&secret));
        }
        let twice = config(&format!("a:*:{secret},a:read:{secret}")).problems();
        assert_eq!(twice, ["api.keys: two keys are called a"]);
    }
}
