//! Values that a scene does not know before it is played.

use std::collections::HashMap;

use serde_json::Value;

/// What `"$name"` has stood for so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Values(HashMap<String, Value>);

impl Values {
    pub(crate) fn set(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    /// Whether `heard` is what was `expected`. Only then are new names kept.
    pub(crate) fn fits(&mut self, expected: &Value, heard: &Value) -> bool {
        let mut tried = self.clone();
        let fits = tried.matches(expected, heard);
        if fits {
            *self = tried;
        }
        fits
    }

    fn matches(&mut self, expected: &Value, heard: &Value) -> bool {
        match (expected, heard) {
            (Value::String(text), _) if text.starts_with('$') => {
                let known = self.0.entry(text[1..].to_owned());
                let is_time = !text.starts_with("$at") || is_time(heard);
                is_time && known.or_insert_with(|| heard.clone()) == heard
            }
            (Value::Array(all), Value::Array(came)) => {
                all.len() == came.len() && all.iter().zip(came).all(|(a, b)| self.matches(a, b))
            }
            (Value::Object(all), Value::Object(came)) => {
                all.len() == came.len()
                    && all
                        .iter()
                        .all(|(key, it)| came.get(key).is_some_and(|came| self.matches(it, came)))
            }
            (expected, heard) => expected == heard,
        }
    }

    /// A part of a path: itself, or the text that its name stands for.
    pub(crate) fn part(&self, part: &str) -> String {
        self.fill(&Value::from(part)).as_str().unwrap().to_owned()
    }

    /// The value with every name replaced by what it stands for.
    pub(crate) fn fill(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => match text.strip_prefix('$') {
                Some(name) => {
                    let known = self.0.get(name);
                    known.unwrap_or_else(|| panic!("${name} stands for nothing yet")).clone()
                }
                None => value.clone(),
            },
            Value::Array(all) => all.iter().map(|it| self.fill(it)).collect(),
            Value::Object(all) => {
                all.iter().map(|(key, it)| (key.clone(), self.fill(it))).collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }
}

/// ISO 8601 in UTC with milliseconds, as `toISOString` writes it.
fn is_time(value: &Value) -> bool {
    let shape = |text: &str| -> String {
        text.chars().map(|it| if it.is_ascii_digit() { '0' } else { it }).collect()
    };
    value.as_str().is_some_and(|text| shape(text) == "0000-00-00T00:00:00.000Z")
}
