//! The TOML of a dialect file, read key by key: whatever nobody reads is a fault.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::dialect::check::{Check, suggestion};

/// A text of the file and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Quoted<'t> {
    pub(super) text: &'t str,
    /// Byte offset of its first letter in the file; of the opening quote if it holds escapes.
    pub(super) at: usize,
}

/// A table of the file, and the keys that were asked for.
pub(super) struct Table<'t> {
    entries: &'t DeTable<'t>,
    /// Byte offset in the file.
    pub(super) at: usize,
    known: Vec<&'static str>,
}

impl<'t> Table<'t> {
    pub(super) fn new(entries: &'t DeTable<'t>, at: usize) -> Self {
        Self { entries, at, known: Vec::new() }
    }

    fn value(&mut self, key: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.known.push(key);
        self.entries.get(key)
    }

    /// Notes that `key` is missing.
    pub(super) fn missing(&self, check: &mut Check<'_>, key: &str) {
        check.fault(self.at, format!("`{key}` is missing"));
    }

    /// The text under `key`, if the key is there.
    pub(super) fn text(&mut self, check: &mut Check<'_>, key: &'static str) -> Option<Quoted<'t>> {
        let value = self.value(key)?;
        let quoted = quoted(check, value);
        if quoted.is_none() {
            check.fault(value.span().start, format!("`{key}` must be a text"));
        }
        quoted
    }

    /// The text under `key`, which must be there.
    pub(super) fn required_text(
        &mut self,
        check: &mut Check<'_>,
        key: &'static str,
    ) -> Option<Quoted<'t>> {
        if !self.entries.contains_key(key) {
            self.missing(check, key);
        }
        self.text(check, key)
    }

    /// The text or the texts under `key`; none where the key is not there.
    pub(super) fn texts(&mut self, check: &mut Check<'_>, key: &'static str) -> Vec<Quoted<'t>> {
        if self.place_of(key).is_none() { Vec::new() } else { self.required_texts(check, key) }
    }

    /// The text or the texts under `key`, of which there must be at least one.
    pub(super) fn required_texts(
        &mut self,
        check: &mut Check<'_>,
        key: &'static str,
    ) -> Vec<Quoted<'t>> {
        let Some(value) = self.value(key) else {
            self.missing(check, key);
            return Vec::new();
        };
        let texts: Option<Vec<Quoted<'t>>> = match value.get_ref().as_array() {
            Some(list) => list.iter().map(|it| quoted(check, it)).collect(),
            None => quoted(check, value).map(|it| vec![it]),
        };
        match texts {
            Some(texts) if !texts.is_empty() => texts,
            Some(_) | None => {
                check.fault(
                    value.span().start,
                    format!("`{key}` must be a text or a list of texts"),
                );
                Vec::new()
            }
        }
    }

    /// The true or false under `key`, if the key is there.
    pub(super) fn flag(&mut self, check: &mut Check<'_>, key: &'static str) -> Option<bool> {
        let value = self.value(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            check.fault(value.span().start, format!("`{key}` must be true or false"));
        }
        flag
    }

    /// All keys with their texts, for a table whose keys are not known before.
    pub(super) fn all_texts(&mut self, check: &mut Check<'_>) -> Vec<(Quoted<'t>, Quoted<'t>)> {
        let mut pairs = Vec::new();
        for key in self.keys() {
            let text = self.entries.get(key.text).and_then(|it| quoted(check, it));
            match text {
                Some(text) => pairs.push((key, text)),
                None => check.fault(key.at, format!("`{}` must be a text", key.text)),
            }
        }
        pairs
    }

    /// The whole number from 1 under `key`, if the key is there.
    pub(super) fn count(&mut self, check: &mut Check<'_>, key: &'static str) -> Option<u32> {
        let value = self.value(key)?;
        let number = value.get_ref().as_integer();
        let number = number.and_then(|it| u32::from_str_radix(it.as_str(), it.radix()).ok());
        let count = number.filter(|&it| 0 < it);
        if count.is_none() {
            check.fault(value.span().start, format!("`{key}` must be a whole number from 1"));
        }
        count
    }

    /// The table under `key`, if the key is there.
    pub(super) fn table(&mut self, check: &mut Check<'_>, key: &'static str) -> Option<Self> {
        let value = self.value(key)?;
        let at = value.span().start;
        let table = value.get_ref().as_table();
        if table.is_none() {
            check.fault(at, format!("`{key}` must be a table"));
        }
        table.map(|entries| Self::new(entries, at))
    }

    /// The tables under `key`: none, or as many as the list there holds.
    pub(super) fn tables(&mut self, check: &mut Check<'_>, key: &'static str) -> Vec<Self> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let tables: Option<Vec<Self>> = value.get_ref().as_array().and_then(|list| {
            let table = |it: &'t Spanned<DeValue<'t>>| {
                it.get_ref().as_table().map(|entries| Self::new(entries, it.span().start))
            };
            list.iter().map(table).collect()
        });
        if tables.is_none() {
            check.fault(value.span().start, format!("`{key}` must be a list of tables"));
        }
        tables.unwrap_or_default()
    }

    /// All keys, in order, for a table whose keys are names of something else.
    pub(super) fn keys(&self) -> Vec<Quoted<'t>> {
        let quoted =
            |it: &'t Spanned<Cow<'t, str>>| Quoted { text: it.get_ref(), at: it.span().start };
        self.entries.keys().map(quoted).collect()
    }

    /// Where the value under `key` stands, if the key is there.
    pub(super) fn place_of(&mut self, key: &'static str) -> Option<usize> {
        self.value(key).map(|it| it.span().start)
    }

    /// Whether the value under `key` is a text.
    pub(super) fn is_text(&self, key: &str) -> bool {
        self.entries.get(key).is_some_and(|it| it.get_ref().is_str())
    }

    /// Notes every key that nobody has asked for.
    pub(super) fn finish(self, check: &mut Check<'_>) {
        for key in self.keys() {
            if !self.known.contains(&key.text) {
                let cause = format!("unknown key `{}`", key.text);
                check.fault(key.at, cause + &suggestion(key.text, &self.known));
            }
        }
    }
}

fn quoted<'t>(check: &Check<'_>, value: &'t Spanned<DeValue<'t>>) -> Option<Quoted<'t>> {
    let text = value.get_ref().as_str()?;
    // A literal string stands in the file letter by letter, behind its quotes.
    let source = check.text.get(value.span()).unwrap_or_default();
    let at = value.span().start + source.find(text).unwrap_or_default();
    Some(Quoted { text, at })
}
