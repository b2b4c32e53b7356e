//! Operations that Redis carries out as one: Lua, loaded when Redis does not know it.
//!
//! Every script answers one MessagePack value in a string, so answers are decoded into types and
//! not picked apart. Every script may be run twice without harm.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use ::metrics::Histogram;
use bytes::Bytes;
use fred::clients::Client;
use fred::error::{Error, ErrorKind};
use fred::interfaces::LuaInterface;
use fred::types::Value;
use fred::util::sha1_hash;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};

use crate::domain::refusal::Outcome;
use crate::store::{StoreError, metrics};

/// First part of scripts that act for a node: time, generation, living nodes and their inboxes.
/// Expects keys and arguments of [`crate::store::shard::Shard::input`].
pub(crate) const PRELUDE: &str = include_str!("../../lua/prelude.lua");

/// Follows [`PRELUDE`] wherever only a living node may ask.
pub(crate) const FENCE: &str = "if not alive(LIFE) then return stale() end\n";

/// For scripts that store no messages: presence and beats go on when Redis is full.
pub(crate) const ALLOW_OOM: &str = "#!lua flags=allow-oom\n";
/// For scripts that Redis refuses as a whole when it is full.
pub(crate) const DENY_OOM: &str = "#!lua\n";
/// For scripts that only read.
pub(crate) const NO_WRITES: &str = "#!lua flags=no-writes\n";

/// Pauses between attempts grow from here …
const PAUSE_MIN: Duration = Duration::from_millis(20);
/// … to here.
const PAUSE_MAX: Duration = Duration::from_millis(320);

/// One Lua file.
#[derive(Clone)]
pub(crate) struct Script {
    name: &'static str,
    text: String,
    sha: String,
    /// Registered at the first use, when the recorder of metrics is in place.
    took: OnceLock<Histogram>,
}

/// Keys and arguments of one call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Input {
    /// Every key that the script touches.
    pub(crate) keys: Vec<String>,
    /// The rest.
    pub(crate) args: Vec<Value>,
}

impl Input {
    pub(crate) fn key(&mut self, key: String) {
        self.keys.push(key);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.args.push(Value::from(text));
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.args.push(Value::from(bytes));
    }

    /// A number that Lua can hold: below 2^53.
    pub(crate) fn number(&mut self, number: u64) {
        self.args.push(Value::from(number.to_string()));
    }
}

/// Why a call brought no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The life is not in the table of living nodes. Nothing was done.
    Stale,
    /// Redis has no memory left. Nothing was done.
    Full,
    /// Redis cannot run it now (loading, not the primary …). Nothing was done; asking again helps.
    NotNow(String),
    /// No answer came: it may have been done, or may yet be done.
    Unknown(String),
    /// Redis or the script refuses for good.
    Broken(String),
}

impl Script {
    /// A script that consists of these parts, the first being its flags.
    pub(crate) fn new(name: &'static str, parts: &[&str]) -> Self {
        let text = parts.concat();
        Self { name, sha: sha1_hash(&text), text, took: OnceLock::new() }
    }

    /// Runs the script, again and again while Redis cannot or does not answer, for at most
    /// `patience`. An attempt that gets no answer counts three seconds by itself.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        client: &Client,
        input: &Input,
        patience: Duration,
    ) -> Result<T, Failure> {
        let give_up = Instant::now() + patience;
        let mut pause = PAUSE_MIN;
        loop {
            let failure = match self.once(client, input).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            match failure {
                Failure::NotNow(_) | Failure::Unknown(_) if Instant::now() + pause < give_up => {
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
                Failure::NotNow(_)
                | Failure::Unknown(_)
                | Failure::Stale
                | Failure::Full
                | Failure::Broken(_) => return Err(failure),
            }
        }
    }

    /// Runs the script once; loads it first where Redis does not know it.
    pub(crate) async fn once<T: DeserializeOwned>(
        &self,
        client: &Client,
        input: &Input,
    ) -> Result<T, Failure> {
        let started = Instant::now();
        let mut answer = self.evalsha(client, input).await;
        if answer.as_ref().is_err_and(is_unknown_script) {
            client.script_load::<(), _>(self.text.as_str()).await.map_err(Failure::from)?;
            answer = self.evalsha(client, input).await;
        }
        let took = self.took.get_or_init(|| metrics::of_script(self.name));
        took.record(started.elapsed().as_secs_f64());
        let answer = answer.map_err(Failure::from)?;
        rmp_serde::from_slice(&answer).map_err(|error| {
            Failure::Broken(format!("script {} answered something else: {error}", self.name))
        })
    }

    async fn evalsha(&self, client: &Client, input: &Input) -> Result<Bytes, Error> {
        client.evalsha(self.sha.as_str(), input.keys.clone(), input.args.clone()).await
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.lua", self.name)
    }
}

fn is_unknown_script(error: &Error) -> bool {
    error.details().starts_with("NOSCRIPT")
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let first = error.details().split(' ').next().unwrap_or_default();
        match first {
            "STALE" => return Self::Stale,
            "OOM" => return Self::Full,
            "NOSCRIPT" | "LOADING" | "READONLY" | "MASTERDOWN" | "NOREPLICAS" | "CLUSTERDOWN"
            | "TRYAGAIN" | "MOVED" | "ASK" | "BUSY" | "MISCONF" | "NOAUTH" => {
                return Self::NotNow(error.to_string());
            }
            "ERR" | "NOPERM" | "WRONGTYPE" | "WRONGPASS" | "CROSSSLOT" => {
                return Self::Broken(error.to_string());
            }
            _ => (),
        }
        match error.kind() {
            // Never left this process.
            ErrorKind::Backpressure => Self::NotNow(error.to_string()),
            ErrorKind::IO
            | ErrorKind::Canceled
            | ErrorKind::Timeout
            | ErrorKind::Routing
            | ErrorKind::Cluster
            | ErrorKind::Sentinel
            | ErrorKind::Protocol
            | ErrorKind::Unknown
            | ErrorKind::Tls
            | ErrorKind::Auth => Self::Unknown(error.to_string()),
            ErrorKind::Config
            | ErrorKind::InvalidCommand
            | ErrorKind::InvalidArgument
            | ErrorKind::Url
            | ErrorKind::Parse
            | ErrorKind::NotFound => Self::Broken(error.to_string()),
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        let (outcome, message) = match failure {
            Failure::Stale => (Outcome::Refused, "this node's life is over".to_owned()),
            Failure::Full => (Outcome::Refused, "redis has no memory left".to_owned()),
            Failure::NotNow(message) => (Outcome::Refused, message),
            // A script that breaks may have done a part.
            Failure::Unknown(message) | Failure::Broken(message) => (Outcome::Unknown, message),
        };
        Self { outcome, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_that_is_none_has_its_fate() {
        let of = |kind, text: &'static str| Failure::from(Error::new(kind, text));
        for text in [
            "NOSCRIPT No matching script. Please use EVAL.",
            "LOADING Redis is loading the dataset in memory",
            "READONLY You can't write against a read only replica.",
            "MASTERDOWN Link with MASTER is down",
            "NOREPLICAS Not enough good replicas to write.",
            "CLUSTERDOWN The cluster is down",
            "TRYAGAIN Multiple keys request during rehashing of slot",
            "MOVED 3999 127.0.0.1:6381",
            "BUSY Redis is busy running a script.",
        ] {
            assert!(matches!(of(ErrorKind::Unknown, text), Failure::NotNow(_)), "{text}");
        }
        assert_eq!(of(ErrorKind::Unknown, "STALE 0.1 is not a living node"), Failure::Stale);
        let full = "OOM allow-oom flag is not set on the script, can not run it when used memory";
        assert_eq!(of(ErrorKind::Unknown, full), Failure::Full);
        for (kind, text) in [
            (ErrorKind::IO, "connection reset"),
            (ErrorKind::Canceled, "Canceled."),
            (ErrorKind::Timeout, "Request timed out."),
            (ErrorKind::Unknown, "whatever this is"),
        ] {
            assert!(matches!(of(kind, text), Failure::Unknown(_)), "{text}");
        }
        for text in ["ERR user_script:7: attempt to call nil", "NOPERM no", "WRONGTYPE no"] {
            assert!(matches!(of(ErrorKind::Unknown, text), Failure::Broken(_)), "{text}");
        }
    }
}
