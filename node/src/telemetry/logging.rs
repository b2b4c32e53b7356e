//! The log: one line a record on standard error, whatever a client puts into a name.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::str::FromStr;
use std::sync::OnceLock;

use serde::{Deserialize, Deserializer, de};
use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt, Targets, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, Registry, reload};

/// Settings of the section `log`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What is logged.
    pub level: Filter,
    /// How it is written; unset: text on a terminal, else JSON.
    pub format: Option<Format>,
}

/// How a record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// A level, and others for single modules: `info`, or `warn,parlance::store=debug`.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter(Targets);

/// A text is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no level: write off, error, warn, info, debug or trace, and for one module more \
     `module=level`, with commas between"
)]
pub struct NoFilter(String);

impl Default for Filter {
    fn default() -> Self {
        Self(Targets::new().with_default(LevelFilter::INFO))
    }
}

impl FromStr for Filter {
    type Err = NoFilter;

    fn from_str(text: &str) -> Result<Self, NoFilter> {
        let level = |text: &str| {
            // The library reads nothing at all as `error`.
            let level = text.trim().parse().ok().filter(|_: &LevelFilter| !text.trim().is_empty());
            level.ok_or_else(|| NoFilter(text.trim().to_owned()))
        };
        let mut targets = Self::default().0;
        for part in text.split(',') {
            targets = match part.split_once('=') {
                Some((target, part)) => targets.with_target(target.trim(), level(part)?),
                None => targets.with_default(level(part)?),
            };
        }
        Ok(Self(targets))
    }
}

impl<'de> Deserialize<'de> for Filter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What the log of this process goes by.
static LEVEL: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();

/// Starts the log of this process.
///
/// # Errors
/// It was started before.
pub fn start(config: &Config) -> Result<(), TryInitError> {
    let usual = if io::stderr().is_terminal() { Format::Text } else { Format::Json };
    let (subscriber, level) = subscriber(&config.level, config.format.unwrap_or(usual), io::stderr);
    subscriber.try_init()?;
    LEVEL.get_or_init(|| level);
    Ok(())
}

/// What is logged now; `None`: the log was not started.
#[must_use]
pub fn level() -> Option<Filter> {
    LEVEL.get()?.clone_current().map(Filter)
}

/// Has this logged from now on; `false`: the log was not started.
#[must_use]
pub fn set_level(level: Filter) -> bool {
    LEVEL.get().is_some_and(|it| it.reload(level.0).is_ok())
}

fn subscriber<W>(
    level: &Filter,
    format: Format,
    writer: W,
) -> (impl Subscriber + Send + Sync, reload::Handle<Targets, Registry>)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(OneLine(writer));
    let layer = match format {
        Format::Text => lines.boxed(),
        Format::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    let (filter, handle) = reload::Layer::new(level.0.clone());
    (Registry::default().with(layer.with_filter(filter.and(filter_fn(is_wanted)))), handle)
}

/// No setting may switch these on: below info the Socket.IO library prints what clients send,
/// tokens included; and what the Redis library warns of, the store judges and says itself.
fn is_wanted(record: &Metadata<'_>) -> bool {
    let library = record.target().split("::").next().unwrap_or_default();
    let most_talkative = match library {
        "socketioxide" | "engineioxide" => LevelFilter::INFO,
        "fred" => LevelFilter::ERROR,
        _ => LevelFilter::TRACE,
    };
    *record.level() <= most_talkative
}

/// Makes writers that keep every record on its own line.
struct OneLine<W>(W);

impl<'w, W: MakeWriter<'w>> MakeWriter<'w> for OneLine<W> {
    type Writer = OneLineWriter<W::Writer>;

    fn make_writer(&'w self) -> Self::Writer {
        OneLineWriter(self.0.make_writer())
    }
}

/// Takes whole records, each with its line end, and escapes what else would move a cursor.
struct OneLineWriter<W>(W);

impl<W: Write> Write for OneLineWriter<W> {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(record);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let mut escaped = String::with_capacity(line.len() + 1);
        for c in line.chars() {
            if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
                // This form is right in JSON too.
                escaped.push_str(&format!("\\u{:04x}", u32::from(c)));
            } else {
                escaped.push(c);
            }
        }
        escaped.push('\n');
        self.0.write_all(escaped.as_bytes())?;
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What `emit` logs.
    fn logged(level: &str, format: Format, emit: impl FnOnce()) -> String {
        let buffer = Arc::new(Mutex::new(Vec::new()));
        let writer = Arc::clone(&buffer);
        let make = move || Shared(Arc::clone(&writer));
        let (log, _handle) = subscriber(&level.parse().unwrap(), format, make);
        tracing::subscriber::with_default(log, emit);
        let bytes = buffer.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const NASTY: &str = "a\nb\r\u{1b}[31m\u{9b}2J\u{2028}\u{7f}{\"x\":1}";

    #[test]
    fn whatever_a_name_holds_a_record_is_one_line() {
        for format in [Format::Text, Format::Json] {
            let text = logged("info", format, || {
                let span = tracing::info_span!("session", name = NASTY);
                let _entered = span.enter();
                tracing::info!(name = NASTY, display = %NASTY, "joined {NASTY}");
            });
            let line = text.strip_suffix('\n').unwrap();
            assert!(!line.chars().any(char::is_control), "{line:?}");
            assert!(!line.contains('\u{2028}'), "{line:?}");
        }
    }

    #[test]
    fn a_json_record_keeps_its_values() {
        let text = logged("info", Format::Json, || tracing::info!(user.name = NASTY, "joined"));
        let record: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(record["user.name"], NASTY);
        assert_eq!((&record["message"], &record["level"]), (&"joined".into(), &"INFO".into()));
    }

    #[test]
    fn libraries_that_say_too_much_are_capped() {
        let text = logged("trace,socketioxide::ns=trace", Format::Text, || {
            tracing::debug!(target: "socketioxide::ns", "token");
            tracing::trace!(target: "engineioxide", "token");
            tracing::info!(target: "socketioxide", "ready");
            tracing::warn!(target: "fred::router", "token");
            tracing::debug!(target: "parlance::hub", "mine");
        });
        assert!(!text.contains("token"), "{text}");
        assert!(text.contains("ready") && text.contains("mine"), "{text}");
    }

    #[test]
    fn one_module_can_say_more_than_the_rest() {
        let text = logged(" warn , parlance::store = DEBUG", Format::Text, || {
            tracing::info!(target: "parlance::hub", "quiet");
            tracing::debug!(target: "parlance::store::publisher", "loud");
        });
        assert!(text.contains("loud") && !text.contains("quiet"), "{text}");
    }

    #[test]
    fn a_word_that_is_no_level_is_a_mistake() {
        for text in ["", "verbose", "info,", "parlance=", "parlance=loud", "info;debug"] {
            assert!(text.parse::<Filter>().is_err(), "{text:?} was taken");
        }
        assert_eq!("info".parse(), Ok(Filter::default()));
        assert_eq!("ERROR".parse::<Filter>().unwrap().to_string(), "error");
    }
}
