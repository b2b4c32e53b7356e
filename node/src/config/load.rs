//! Where settings come from: defaults, a file, the environment, arguments; the later one wins.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use figment::providers::Serialized;
use figment::util::nest;
use figment::value::{Dict, Map, Value};
use figment::{Error, Figment, Metadata, Profile, Provider};

use crate::auth::trust::Mode;
use crate::config::environment::Environment;
use crate::config::mistake::{self, Mistake, Mistakes};
use crate::config::{Config, laptop};
use crate::telemetry::traces;

/// Every setting there is. A test holds this list against the sections and the example file.
pub const SETTINGS: [&str; 57] = [
    "listen",
    "internal_listen",
    "trusted_proxies",
    "public_url",
    "data_dir",
    "durability",
    "redis.url",
    "redis.prefix",
    "history.messages_per_room",
    "history.days",
    "auth.mode",
    "auth.jwt_secret",
    "auth.public_key_file",
    "auth.jwks_url",
    "auth.algorithms",
    "auth.issuer",
    "auth.audience",
    "auth.issuers",
    "auth.plain_http",
    "auth.token_days_max",
    "auth.cookies",
    "auth.claims.user",
    "auth.claims.name",
    "auth.claims.role",
    "auth.claims.departments",
    "auth.claims.rooms",
    "rooms.policy",
    "access.url",
    "access.token",
    "access.plain_http",
    "access.timeout_ms",
    "access.yes_seconds",
    "access.no_seconds",
    "access.at_once",
    "cors.origins",
    "heartbeat.interval_ms",
    "heartbeat.timeout_ms",
    "limits.connections",
    "limits.connections_per_address",
    "limits.message_bytes",
    "limits.rooms_per_connection",
    "limits.events_per_second",
    "limits.messages_per_minute",
    "limits.status_per_minute",
    "drain.seconds",
    "drain.notice_seconds",
    "api.keys",
    "api.feed",
    "api.feed_batches",
    "blobs.url",
    "blobs.secret",
    "audit.records",
    "audit.days",
    "dialects.dir",
    "dialects.default",
    "log.level",
    "log.format",
];

/// Settings that are lists, which the environment and arguments write with commas.
const LISTS: [&str; 4] = ["auth.algorithms", "auth.cookies", "cors.origins", "trusted_proxies"];

/// What is read, all of it given: tests and the process differ in nothing else.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// A TOML file (`--config`).
    pub file: Option<PathBuf>,
    /// The environment of the process.
    pub environment: BTreeMap<String, String>,
    /// The folder that may hold `.env.local` and `.env`.
    pub folder: PathBuf,
    /// Settings from the command line, each `name=value` (`--set`).
    pub arguments: Vec<String>,
}

impl Sources {
    /// What this process was started with.
    #[must_use]
    pub fn of_process(file: Option<PathBuf>, arguments: Vec<String>) -> Self {
        let text = |it: std::ffi::OsString| it.into_string().ok(); // no setting is other than text
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            let name = text(name)?;
            Some((name, text(value)?))
        });
        Self { file, environment: variables.collect(), folder: PathBuf::from("."), arguments }
    }
}

/// One setting from the environment or an argument.
pub(super) struct Given {
    setting: String,
    value: Value,
    origin: String,
}

impl Given {
    pub(super) fn new(setting: &str, value: String, origin: &str) -> Self {
        let value = if LISTS.contains(&setting) {
            let parts = value.split(',').map(str::trim).filter(|it| !it.is_empty());
            parts.map(Value::from).collect::<Vec<_>>().into()
        } else {
            Value::from(value)
        };
        Self { setting: setting.to_owned(), value, origin: origin.to_owned() }
    }
}

impl Provider for Given {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let nested = nest(&self.setting, self.value.clone()).into_dict();
        Ok(Profile::Default.collect(nested.unwrap_or_default()))
    }
}

/// Reads the configuration.
///
/// # Errors
/// All mistakes that can be seen; only an unreadable file hides what is wrong in it.
pub fn load(sources: &Sources) -> Result<Config, Mistakes> {
    let mut mistakes = Vec::new();
    let environment = Environment::read(&sources.environment, &sources.folder, &mut mistakes);
    let mut figment = Figment::new();
    let named_file = environment.get("PARLANCE_CONFIG").map(PathBuf::from);
    if let Some(path) = sources.file.clone().or(named_file) {
        match with_file(figment, &path) {
            Ok(with_file) => figment = with_file,
            // Whatever the file was to set would be missing, and the list full of echoes.
            Err(mistake) => return Err(Mistakes(vec![mistake])),
        }
    }
    for given in environment.given().into_iter().chain(arguments(sources, &mut mistakes)) {
        figment = figment.merge(given);
    }
    let is_production = environment.get("NODE_ENV") == Some("production");
    let is_laptop = !is_production && !laptop::ENDS.iter().any(|it| figment.contains(it));
    if is_laptop {
        figment = figment.join(Serialized::defaults(laptop::defaults()));
    }
    let (mut config, wrong_values) = extract(&figment);
    mistakes.extend(wrong_values);
    config.is_laptop = is_laptop;
    if is_production && config.auth.mode == Mode::Trust {
        let cause = "takes clients at their word, which NODE_ENV=production rules out: remove it";
        mistakes.push(mistake_about(&figment, "auth.mode", cause.to_owned()));
    }
    config.redis.history = config.history;
    config.redis.durability = config.durability;
    config.redis.history.feed_batches = config.api.feed_kept();
    config.redis.revoked_for = config.auth.life_max().unwrap_or(config.redis.revoked_for);
    config.blobs.aws = environment.aws();
    let mut wrong_variables = Vec::new();
    // The library that sends traces reads the process' own variables, and no file.
    let of_process = |name: &str| sources.environment.get(name).map(String::as_str);
    config.traces = traces::Config::read(of_process, &mut wrong_variables);
    // A value that was taken out as wrong is not missing as well.
    let known: Vec<String> = mistakes.iter().map(|it| it.setting.clone()).collect();
    for problem in config.problems().into_iter().chain(wrong_variables) {
        let (setting, cause) = problem.split_once(": ").unwrap_or(("", &problem));
        if !known.iter().any(|it| it == setting) {
            mistakes.push(mistake_about(&figment, setting, cause.to_owned()));
        }
    }
    if mistakes.is_empty() { Ok(config) } else { Err(Mistakes(mistakes)) }
}

/// The file beneath what is there already.
fn with_file(figment: Figment, path: &Path) -> Result<Figment, Mistake> {
    let mistake =
        |cause: String| Mistake { setting: path.display().to_string(), origin: None, cause };
    let text = std::fs::read_to_string(path)
        .map_err(|error| mistake(format!("cannot be read: {error}")))?;
    let dict = toml::from_str(&text).map_err(|error| mistake(format!("is no TOML: {error}")))?;
    Ok(figment.merge(File { dict, origin: path.display().to_string() }))
}

/// The settings of a file, named after it.
struct File {
    dict: Dict,
    origin: String,
}

impl Provider for File {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(Profile::Default.collect(self.dict.clone()))
    }
}

fn arguments(sources: &Sources, mistakes: &mut Vec<Mistake>) -> Vec<Given> {
    let mut given = Vec::new();
    for argument in &sources.arguments {
        match argument.split_once('=') {
            Some((setting, value)) => {
                given.push(Given::new(setting.trim(), value.to_owned(), "argument --set"));
            }
            None => mistakes.push(Mistake {
                setting: argument.clone(),
                origin: Some("argument --set".to_owned()),
                cause: "write name=value".to_owned(),
            }),
        }
    }
    given
}

/// The configuration without what is wrong in it, and all that is wrong.
///
/// The reader stops at the first wrong value, so each one is noted, taken out and the rest read
/// again, until nothing is wrong: at most as often as there are values.
fn extract(figment: &Figment) -> (Config, Vec<Mistake>) {
    let mut mistakes = Vec::new();
    let mut values: Dict = figment.extract().unwrap_or_default();
    loop {
        let rest = Figment::from(Serialized::defaults(&values));
        let error = match rest.extract_lossy() {
            Ok(config) => return (config, mistakes),
            Err(error) => error,
        };
        let removed = remove(&mut values, &error.path);
        let setting = removed.join(".");
        let cause = mistake::cause(&error.kind, &setting, &SETTINGS);
        mistakes.push(mistake_about(figment, &setting, cause));
        if removed.is_empty() {
            return (Config::default(), mistakes); // nothing to take out: it will not get better
        }
    }
}

/// Takes out what is at a path, and answers how far the path led: lists go as a whole.
fn remove(values: &mut Dict, path: &[String]) -> Vec<String> {
    let Some((first, rest)) = path.split_first() else { return Vec::new() };
    let mut removed = vec![first.clone()];
    if let Some(Value::Dict(_, below)) = values.get_mut(first) {
        let deeper = remove(below, rest);
        if !deeper.is_empty() {
            removed.extend(deeper);
            return removed;
        }
    }
    match values.remove(first) {
        Some(_) => removed,
        None => Vec::new(),
    }
}

fn mistake_about(figment: &Figment, setting: &str, cause: String) -> Mistake {
    let origin = figment.find_metadata(setting).map(|it| it.name.to_string());
    Mistake { setting: setting.to_owned(), origin, cause }
}

#[cfg(test)]
mod tests;
