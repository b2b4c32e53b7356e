//! What the store has to be told.

use std::time::Duration;

use serde::Deserialize;

use crate::secret::Secret;

/// Longest prefix in bytes: it is part of every key.
const PREFIX_BYTES_MAX: usize = 64;

/// How long what was revoked is remembered where nothing bounds the lives of tokens: a year.
pub const REVOKED_FOR: Duration = Duration::from_hours(366 * 24);

/// Where Redis is, and how much of each room it keeps.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `redis://`, `rediss://`, `redis-sentinel://`, `rediss-sentinel://` or `unix://`, with user,
    /// password and database where needed.
    /// `None`: the node starts a private Redis of its own.
    pub url: Option<Secret<String>>,
    /// First part of every key and channel, so clusters can share one Redis.
    pub prefix: String,
    /// How much of each room's log is kept; set from the section `history`.
    #[serde(skip)]
    pub history: History,
    /// How long what was revoked is remembered: as long as the longest token lives; set from the
    /// section `auth`.
    #[serde(skip)]
    pub revoked_for: Duration,
    /// When a send is acknowledged; set from the setting `durability`.
    #[serde(skip)]
    pub durability: Durability,
}

/// When a send is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// As soon as Redis has it. A Redis that dies at that moment may take it along.
    #[default]
    Fast,
    /// As soon as a second Redis or the disk has it.
    Durable,
}

/// How much of each room's log is kept. Whatever bound is met first counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct History {
    /// Entries a room at least keeps; Redis trims in blocks, so some more may stay.
    pub messages_per_room: u64,
    /// Days after which an entry is no longer read, and a silent room's log is gone.
    pub days: u64,
    /// Batches that the feed at least keeps; 0: there is none. Set from the section `api`.
    #[serde(skip)]
    pub feed_batches: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: None,
            prefix: "parlance".to_owned(),
            history: History::default(),
            revoked_for: REVOKED_FOR,
            durability: Durability::default(),
        }
    }
}

impl Default for History {
    fn default() -> Self {
        Self { messages_per_room: 10_000, days: 90, feed_batches: 0 }
    }
}

impl Config {
    /// All mistakes, each with the setting's name.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let fits = (1..=PREFIX_BYTES_MAX).contains(&self.prefix.len());
        if !fits || !self.prefix.chars().all(is_plain) {
            problems.push(format!(
                "redis.prefix: has to be 1 to {PREFIX_BYTES_MAX} letters, digits and - _ ."
            ));
        }
        if let Some(url) = &self.url
            && let Err(problem) = crate::store::client::parse_url(url)
        {
            problems.push(format!("redis.url: {problem}"));
        }
        if self.history.messages_per_room == 0 {
            problems.push("history.messages_per_room: has to be at least 1".to_owned());
        }
        if !(1..=36_500).contains(&self.history.days) {
            problems.push("history.days: has to be 1 to 36500".to_owned());
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(toml: &str, problem: &str) {
        let config: Config = toml::from_str(toml).unwrap();
        let problems = config.problems().join("; ");
        assert!(problems.starts_with(problem), "{toml}: {problems}");
        assert_eq!(problems.is_empty(), problem.is_empty(), "{toml}: {problems}");
    }

    #[test]
    fn mistakes_name_their_setting_and_show_no_password() {
        check("", "");
        check("url = 'redis://:hunter2@localhost:6379/1'", "");
        check("url = 'rediss://localhost'", "");
        check("url = 'unix:///run/redis.sock'", "");
        check("url = 'redis-cluster://a:6379'", "redis.url: a Redis cluster");
        check("url = 'redis-sentinel://u:p@a:1/2?sentinelServiceName=x&node=b:1'", "");
        check("url = 'rediss-sentinel://a:1?sentinelServiceName=x&sentinelPassword=y'", "");
        check("url = 'redis-sentinel://:hunter2@a:1'", "redis.url: names no service");
        check("url = 'http://:hunter2@x'", "redis.url: has to begin with redis://");
        check("url = 'redis://:hunter2@:x'", "redis.url: is no address");
        check("prefix = 'a{b}'", "redis.prefix");
        check("prefix = ''", "redis.prefix");
    }

    #[test]
    fn an_unknown_setting_is_refused() {
        assert!(toml::from_str::<Config>("ulr = 'redis://x'").is_err());
    }
}
