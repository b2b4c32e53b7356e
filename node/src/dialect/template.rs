//! Payloads: compiled from JSON with `$names` to pieces, and written straight into text.

use serde_json::value::RawValue;

use crate::dialect::check::{Check, suggestion};
use crate::dialect::json;
use crate::dialect::offer::Offer;
use crate::dialect::shape::{Shape, ShapeKind};
use crate::dialect::word::Word;
use crate::dialect::words::{Value, Words};

/// The key of a member that stands for all members of its value, as `...` does in JavaScript.
const SPREAD: &str = "...";

/// A compiled payload.
#[derive(Debug, Default)]
pub(super) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Debug)]
enum Piece {
    /// JSON as it is.
    Json(String),
    /// A value that is always there.
    Value(Word),
    /// What the file says for the word's value.
    Choice { word: Word, cases: Vec<(String, String)> },
    /// A list of what `item` writes for each element.
    Each { word: Word, item: Template },
    /// A comma, unless the object has just begun.
    Comma,
    /// A whole member `key:value`, left out where there is no value.
    Member { key: String, word: Word },
    /// The members of a JSON object, but those that stand in the template.
    Spread { word: Word, except: Vec<String> },
}

impl Template {
    /// Compiles a payload. What is wrong is noted; what is returned then serves nobody.
    pub(super) fn compile(check: &mut Check<'_>, shape: &Shape<'_>, offers: &[Offer]) -> Self {
        let mut compiler = Compiler { check, offers, template: Self::default() };
        compiler.value(shape);
        compiler.template
    }

    /// Writes the payload with these values.
    ///
    /// # Errors
    /// A JSON value that the application gave is none.
    pub(super) fn write(&self, words: &Words<'_>) -> serde_json::Result<Box<RawValue>> {
        let mut out = String::with_capacity(256);
        self.write_into(&mut out, words)?;
        RawValue::from_string(out)
    }

    /// Whether the payload holds the word's value.
    pub(super) fn tells(&self, wanted: Word) -> bool {
        self.pieces.iter().any(|it| match it {
            Piece::Json(_) | Piece::Comma => false,
            Piece::Value(word)
            | Piece::Choice { word, .. }
            | Piece::Each { word, .. }
            | Piece::Member { word, .. }
            | Piece::Spread { word, .. } => *word == wanted,
        })
    }

    fn write_into(&self, out: &mut String, words: &Words<'_>) -> serde_json::Result<()> {
        for piece in &self.pieces {
            match piece {
                Piece::Json(json) => out.push_str(json),
                Piece::Value(word) => match words.get(*word) {
                    Some(value) => value.write(out),
                    None => out.push_str("null"),
                },
                Piece::Choice { word, cases } => {
                    let value = words.get(*word).and_then(Value::as_text);
                    let case = cases.iter().find(|(case, _)| Some(&**case) == value);
                    out.push_str(case.map_or("null", |(_, json)| json));
                }
                Piece::Each { word, item } => {
                    out.push('[');
                    if let Some(Value::List(elements)) = words.get(*word) {
                        for (index, element) in elements.iter().enumerate() {
                            if 0 < index {
                                out.push(',');
                            }
                            item.write_into(out, element)?;
                        }
                    }
                    out.push(']');
                }
                Piece::Comma => comma(out),
                Piece::Member { key, word } => {
                    if let Some(value) = words.get(*word) {
                        comma(out);
                        out.push_str(key);
                        value.write(out);
                    }
                }
                Piece::Spread { word, except } => spread(out, words.get(*word), except)?,
            }
        }
        Ok(())
    }
}

/// No value ends with a brace that opens, so one at the end is that of the object itself.
fn comma(out: &mut String) {
    if !out.ends_with('{') {
        out.push(',');
    }
}

fn spread(
    out: &mut String,
    value: Option<&Value<'_>>,
    except: &[String],
) -> serde_json::Result<()> {
    let Some(Value::Json(object)) = value else {
        return Ok(());
    };
    let is_free = |key: &str| except.iter().all(|taken| taken != key);
    for (key, value) in json::members(object, &is_free)? {
        comma(out);
        json::write_text(out, &key);
        out.push(':');
        out.push_str(value.get());
    }
    Ok(())
}

struct Compiler<'c, 't> {
    check: &'c mut Check<'t>,
    /// A name must be in all of them.
    offers: &'c [Offer],
    template: Template,
}

impl Compiler<'_, '_> {
    fn json(&mut self, text: &str) {
        match self.template.pieces.last_mut() {
            Some(Piece::Json(json)) => json.push_str(text),
            _ => self.template.pieces.push(Piece::Json(text.to_owned())),
        }
    }

    fn text(&mut self, text: &str) {
        let mut quoted = String::new();
        json::write_text(&mut quoted, text);
        self.json(&quoted);
    }

    fn value(&mut self, shape: &Shape<'_>) {
        match &shape.kind {
            ShapeKind::Literal(literal) => self.json(literal),
            ShapeKind::Object(members) => self.object(members),
            ShapeKind::List(shapes) => {
                self.json("[");
                for (index, shape) in shapes.iter().enumerate() {
                    if 0 < index {
                        self.json(",");
                    }
                    self.value(shape);
                }
                self.json("]");
            }
            ShapeKind::Text(text) => match text.strip_prefix('$') {
                None => self.text(text),
                Some(name) if name.ends_with('?') => {
                    let cause = format!("`{text}` can be left out only as a member of an object");
                    self.check.fault(shape.at, cause);
                }
                Some(name) => {
                    let word = self.word(shape.at, name, false);
                    if word.is_some_and(|it| it.elements().is_some()) {
                        self.check
                            .fault(shape.at, format!("`{text}` is a list: tell it by `$each`"));
                    }
                    self.template.pieces.extend(word.map(Piece::Value));
                }
            },
        }
    }

    fn object(&mut self, members: &[(String, Shape<'_>)]) {
        if let [(each, list), (of, item)] = members
            && each == "$each"
            && of == "as"
        {
            return self.each(list, item);
        }
        if let [(key, shape)] = members
            && let Some(name) = key.strip_prefix('$')
        {
            return self.choice(name, shape);
        }
        self.json("{");
        // Whether a member before this one is always written, so that its comma is, too.
        let mut has_member = false;
        for (index, (key, shape)) in members.iter().enumerate() {
            if key == SPREAD {
                self.spread(shape, members);
                continue;
            }
            if let Some(name) = optional_name(shape) {
                if let Some(word) = self.word(shape.at, name, true) {
                    let mut quoted = String::new();
                    json::write_text(&mut quoted, key);
                    quoted.push(':');
                    self.template.pieces.push(Piece::Member { key: quoted, word });
                }
                continue;
            }
            if has_member {
                self.json(",");
            } else if 0 < index {
                self.template.pieces.push(Piece::Comma);
            }
            self.text(key);
            self.json(":");
            self.value(shape);
            has_member = true;
        }
        self.json("}");
    }

    /// `{ "$each": "$name", "as": JSON }`: a list, with the names of its elements.
    fn each(&mut self, list: &Shape<'_>, item: &Shape<'_>) {
        let name = match &list.kind {
            ShapeKind::Text(text) => text.strip_prefix('$'),
            ShapeKind::Object(_) | ShapeKind::List(_) | ShapeKind::Literal(_) => None,
        };
        let word = name.and_then(|name| self.word(list.at, name, false));
        let Some((word, offer)) = word.and_then(|it| Some((it, it.elements()?))) else {
            self.check.fault(list.at, "`$each` takes the name of a list");
            return;
        };
        let item = Template::compile(self.check, item, &[offer]);
        self.template.pieces.push(Piece::Each { word, item });
    }

    /// `{ "$name": { "value": JSON, … } }`: a case for each value that the name can have.
    fn choice(&mut self, name: &str, shape: &Shape<'_>) {
        let Some(word) = self.word(shape.at, name, false) else { return };
        let ShapeKind::Object(members) = &shape.kind else {
            self.check.fault(shape.at, format!("`${name}` needs an object with its cases"));
            return;
        };
        let choices = word.choices();
        for choice in choices {
            if members.iter().all(|(key, _)| key != choice) {
                self.check.fault(shape.at, format!("the case `{choice}` of `${name}` is missing"));
            }
        }
        let mut cases = Vec::new();
        for (key, shape) in members {
            if !choices.contains(&key.as_str()) {
                let cause = format!("`${name}` is never `{key}`") + &suggestion(key, choices);
                self.check.fault(shape.at, cause);
            }
            match &shape.kind {
                ShapeKind::Literal(literal) => cases.push((key.clone(), (*literal).to_owned())),
                ShapeKind::Text(text) if !text.starts_with('$') => {
                    let mut quoted = String::new();
                    json::write_text(&mut quoted, text);
                    cases.push((key.clone(), quoted));
                }
                ShapeKind::Text(_) | ShapeKind::Object(_) | ShapeKind::List(_) => {
                    self.check.fault(shape.at, "a case is a text or another plain value");
                }
            }
        }
        self.template.pieces.push(Piece::Choice { word, cases });
    }

    fn spread(&mut self, shape: &Shape<'_>, members: &[(String, Shape<'_>)]) {
        let name = match &shape.kind {
            ShapeKind::Text(text) => text.strip_prefix('$'),
            ShapeKind::Object(_) | ShapeKind::List(_) | ShapeKind::Literal(_) => None,
        };
        match name.and_then(|name| self.word(shape.at, name, false)) {
            Some(word @ Word::Metadata) => {
                let except = members.iter().map(|(key, _)| key.clone()).collect();
                self.template.pieces.push(Piece::Spread { word, except });
            }
            Some(_) | None => {
                self.check.fault(shape.at, "`...` takes `$metadata` and nothing else");
            }
        }
    }

    /// The word that `name` names, if every offer has it.
    fn word(&mut self, at: usize, name: &str, may_lack: bool) -> Option<Word> {
        let name = name.trim_end_matches('?');
        let mut found = None;
        for offer in self.offers {
            let all = [offer.always, offer.sometimes].concat();
            found = all.iter().copied().find(|word| word.as_str() == name);
            let Some(word) = found else {
                let known = all.iter().map(|word| format!("${}", word.as_str()));
                let known: Vec<String> = known.collect();
                let cause = format!("there is no `${name}` here");
                self.check.fault(at, cause + &suggestion(&format!("${name}"), &known));
                return None;
            };
            if !may_lack && offer.sometimes.contains(&word) {
                self.check.fault(at, format!("`${name}` is not always there: write `${name}?`"));
            }
        }
        found
    }
}

/// The name of a `$name?`.
fn optional_name<'s>(shape: &'s Shape<'_>) -> Option<&'s str> {
    match &shape.kind {
        ShapeKind::Text(text) => text.strip_prefix('$')?.strip_suffix('?'),
        ShapeKind::Object(_) | ShapeKind::List(_) | ShapeKind::Literal(_) => None,
    }
}
