//! Settings from the environment, and from `.env` files below it.
//!
//! Besides `PARLANCE_…` the names are read that chat servers of other makes use, so that their
//! deployments need no new ones.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::config::load::Given;
use crate::config::mistake::Mistake;
use crate::secret::Secret;

/// Prefix of our own names; `__` stands between levels.
const PREFIX: &str = "PARLANCE_";

/// Names that fill a setting as they are, weakest first.
const ALIASES: [(&str, &str); 6] = [
    ("REDIS_URL", "redis.url"),
    ("JWT_ACCESS_SECRET_KEY", "auth.jwt_secret"),
    ("JWT_SECRET", "auth.jwt_secret"),
    ("SOCKET_HEARTBEAT_INTERVAL", "heartbeat.interval_ms"),
    ("SOCKET_HEARTBEAT_TIMEOUT", "heartbeat.timeout_ms"),
    ("LOG_LEVEL", "log.level"),
];

/// Names of origins; they are united.
const ORIGINS: [&str; 3] = ["FRONTEND_URL", "CLIENT_URL", "SOCKET_CORS_ORIGINS"];

/// Names that may end in `_FILE`: the value is in the file then.
const SECRETS: [&str; 9] = [
    "PARLANCE_ACCESS__TOKEN",
    "PARLANCE_API__KEYS",
    "PARLANCE_AUTH__JWT_SECRET",
    "PARLANCE_BLOBS__SECRET",
    "PARLANCE_REDIS__URL",
    "JWT_SECRET",
    "JWT_ACCESS_SECRET_KEY",
    "REDIS_URL",
    "AWS_SECRET_ACCESS_KEY",
];

/// Prefix of the names that every program which speaks to S3 reads.
const AWS: &str = "AWS_";

/// A variable that is set to something.
struct Variable {
    value: String,
    origin: String,
}

/// All variables that are set, the process' own above those of the files.
pub(super) struct Environment(BTreeMap<String, Variable>);

impl Environment {
    /// Reads `.env` and `.env.local` of a folder, then lays the process' variables over them.
    pub(super) fn read(
        process: &BTreeMap<String, String>,
        folder: &Path,
        mistakes: &mut Vec<Mistake>,
    ) -> Self {
        let mut all = Self(BTreeMap::new());
        for file in [".env", ".env.local"] {
            let text = match fs::read_to_string(folder.join(file)) {
                Ok(text) => text,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => {
                    mistakes.push(mistake(file, None, format!("cannot be read: {error}")));
                    continue;
                }
            };
            for (name, value) in lines(&text) {
                all.set(name, value, format!("{name} in {file}"));
            }
        }
        for (name, value) in process {
            all.set(name, value, format!("environment variable {name}"));
        }
        all.read_secrets(mistakes);
        all
    }

    /// The value of a variable that is set.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|it| it.value.as_str())
    }

    /// Everything about S3, as it is.
    pub(super) fn aws(&self) -> BTreeMap<String, Secret<String>> {
        let about = self.0.iter().filter(|it| it.0.starts_with(AWS));
        about.map(|(name, it)| (name.clone(), Secret::new(it.value.clone()))).collect()
    }

    /// What the variables set, weakest first.
    pub(super) fn given(&self) -> Vec<Given> {
        let mut given = Vec::new();
        if let Some(port) = self.0.get("PORT") {
            given.push(Given::new("listen", format!("0.0.0.0:{}", port.value), &port.origin));
        }
        let origins: Vec<&Variable> = ORIGINS.iter().filter_map(|it| self.0.get(*it)).collect();
        if !origins.is_empty() {
            let of = |pick: fn(&Variable) -> &str| -> Vec<&str> {
                origins.iter().map(|it| pick(it)).collect()
            };
            let (values, names) = (of(|it| &it.value).join(","), of(|it| &it.origin).join(", "));
            given.push(Given::new("cors.origins", values, &names));
        }
        for (name, setting) in ALIASES {
            if let Some(it) = self.0.get(name) {
                given.push(Given::new(setting, it.value.clone(), &it.origin));
            }
        }
        if let Some(debug) = self.0.get("SOCKET_DEBUG").filter(|it| it.value == "true") {
            given.push(Given::new("log.level", "debug".to_owned(), &debug.origin));
        }
        for (name, it) in &self.0 {
            let Some(setting) = name.strip_prefix(PREFIX).filter(|it| *it != "CONFIG") else {
                continue;
            };
            let setting = setting.to_lowercase().replace("__", ".");
            given.push(Given::new(&setting, it.value.clone(), &it.origin));
        }
        given
    }

    /// An empty variable counts as not there.
    fn set(&mut self, name: &str, value: &str, origin: String) {
        if !value.is_empty() {
            self.0.insert(name.to_owned(), Variable { value: value.to_owned(), origin });
        }
    }

    /// Replaces each `…_FILE` of a secret by what the file holds.
    fn read_secrets(&mut self, mistakes: &mut Vec<Mistake>) {
        for name in SECRETS {
            let file_name = format!("{name}_FILE");
            let Some(file) = self.0.remove(&file_name) else { continue };
            if self.0.contains_key(name) {
                let cause = format!("{name} is set too: keep one of the two");
                mistakes.push(mistake(&file_name, Some(file.origin), cause));
                continue;
            }
            match fs::read_to_string(&file.value) {
                // Editors and `echo` end a file with a line end that is no part of the secret.
                Ok(text) => self.set(name, text.trim_end_matches(['\r', '\n']), file.origin),
                Err(error) => {
                    let cause = format!("cannot read {}: {error}", file.value);
                    mistakes.push(mistake(&file_name, Some(file.origin), cause));
                }
            }
        }
    }
}

fn mistake(setting: &str, origin: Option<String>, cause: String) -> Mistake {
    Mistake { setting: setting.to_owned(), origin, cause }
}

/// The `NAME=value` lines of a `.env` file; a quoted value may go over several lines. What is no
/// such line is left out: the file may serve other programs too.
fn lines(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (line, next) = rest.split_once('\n').unwrap_or((rest, ""));
        let Some((name, value)) = line.split_once('=').filter(|it| !it.0.contains('#')) else {
            rest = next;
            continue;
        };
        let bare = value.split_once(" #").map_or(value, |it| it.0).trim();
        let (value, next) = quoted(&rest[name.len() + 1..]).unwrap_or((bare, next));
        let name = name.trim();
        found.push((name.strip_prefix("export ").unwrap_or(name).trim(), value));
        rest = next;
    }
    found
}

/// The text between quotes that `text` begins with, and the lines that follow.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start_matches(' ');
    let quote = text.chars().next().filter(|it| matches!(it, '"' | '\''))?;
    let (value, beyond) = text[1..].split_once(quote)?;
    Some((value, beyond.split_once('\n').map_or("", |it| it.1)))
}
