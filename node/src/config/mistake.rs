//! What is wrong with a configuration: all of it at once, each with its cure.

use std::fmt;

use figment::error::Kind;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The setting, with dots between its levels, or what else is wrong (a file).
    pub setting: String,
    /// Where its value came from; `None`: nowhere, it is missing.
    pub origin: Option<String>,
    /// What is wrong and what to do. Never the value of a secret.
    pub cause: String,
}

/// All mistakes of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Some(origin) => write!(f, "{} ({origin}): {}", self.setting, self.cause),
            None => write!(f, "{}: {}", self.setting, self.cause),
        }
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// What the reader of values found, without the value.
pub(super) fn cause(kind: &Kind, setting: &str, known: &[&str]) -> String {
    match kind {
        Kind::UnknownField(..) => format!("is no setting{}", nearest(setting, known)),
        Kind::InvalidType(_, expected)
        | Kind::InvalidValue(_, expected)
        | Kind::InvalidLength(_, expected) => format!("has to be {}", in_words(expected)),
        Kind::UnknownVariant(_, choice) => format!("has to be one of {}", choice.join(", ")),
        Kind::Message(text) => match text.as_str() {
            "invalid socket address syntax" => "has to be address:port, like 0.0.0.0:3000",
            "invalid IP address syntax" => "has to be networks, like 10.0.0.0/8",
            other => other,
        }
        .to_owned(),
        Kind::MissingField(name) => format!("lacks `{name}`"),
        Kind::DuplicateField(name) => format!("has `{name}` twice"),
        Kind::ISizeOutOfRange(_) | Kind::USizeOutOfRange(_) => "is out of range".to_owned(),
        Kind::Unsupported(_) | Kind::UnsupportedKey(..) => "has a wrong type".to_owned(),
    }
}

/// The expected type without the words of a programming language.
fn in_words(expected: &str) -> &str {
    match expected {
        "u16" | "u32" | "u64" | "usize" => "a whole number, not negative and not too large",
        "a nonzero usize" => "a whole number, at least 1",
        "string" | "a string" | "path string" => "a text",
        "a sequence" => "a list",
        expected if expected.starts_with("struct ") => "a section with settings of its own",
        other => other,
    }
}

/// `: did you mean …?` where a known word is near.
fn nearest(unknown: &str, known: &[&str]) -> String {
    // A third of the letters may be wrong: enough for a slip, too little for another word.
    let slips_max = (unknown.chars().count() / 3).max(1);
    let nearest = known.iter().map(|it| (strsim::osa_distance(unknown, it), it)).min();
    match nearest {
        Some((slips, word)) if slips <= slips_max => format!(": did you mean {word}?"),
        Some(_) | None => ": see config/parlance.example.toml for all there are".to_owned(),
    }
}
