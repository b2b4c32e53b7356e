//! The JSON in a dialect file: what patterns and templates are compiled from.

use serde_json::value::RawValue;

use crate::dialect::check::Check;
use crate::dialect::file::Quoted;
use crate::dialect::json;

/// A JSON value of a dialect file and where it stands.
pub(super) struct Shape<'t> {
    /// Byte offset in the file.
    pub(super) at: usize,
    pub(super) kind: ShapeKind<'t>,
}

pub(super) enum ShapeKind<'t> {
    Object(Vec<(String, Shape<'t>)>),
    List(Vec<Shape<'t>>),
    Text(String),
    /// `true`, `false`, `null` or a number, as the file writes it.
    Literal(&'t str),
}

impl<'t> Shape<'t> {
    /// Reads a JSON text; what is wrong with it is noted and gives `None`.
    pub(super) fn parse(check: &mut Check<'_>, quoted: &Quoted<'t>) -> Option<Self> {
        let text = quoted.text;
        if json::is_too_deep(text) {
            check.fault(quoted.at, "nested too deep");
            return None;
        }
        match serde_json::from_str::<&RawValue>(text) {
            Ok(raw) => Self::of(check, quoted, raw),
            Err(error) => {
                let lines_before = text.split_inclusive('\n').take(error.line().saturating_sub(1));
                let at = quoted.at + lines_before.map(str::len).sum::<usize>();
                let cause = error.to_string();
                // The line there counts from where the JSON begins, not from the file's start.
                let cause = cause.split(" at line ").next().unwrap_or_default();
                check.fault(at, format!("no JSON: {cause}"));
                None
            }
        }
    }

    fn of(check: &mut Check<'_>, quoted: &Quoted<'t>, raw: &'t RawValue) -> Option<Self> {
        let text = raw.get();
        // `raw` borrows from the quoted text, so its address tells where it stands.
        let at = quoted.at + (text.as_ptr().addr() - quoted.text.as_ptr().addr());
        let kind = match text.as_bytes().first() {
            Some(b'{') => Self::object(check, quoted, raw)?,
            Some(b'[') => Self::list(check, quoted, raw)?,
            Some(b'"') => match json::text(text) {
                Some(text) => ShapeKind::Text(text.into_owned()),
                None => {
                    check.fault(at, "half a surrogate is no text");
                    return None;
                }
            },
            _ => ShapeKind::Literal(text),
        };
        Some(Self { at, kind })
    }

    fn object(
        check: &mut Check<'_>,
        quoted: &Quoted<'t>,
        raw: &'t RawValue,
    ) -> Option<ShapeKind<'t>> {
        let mut members: Vec<(String, Self)> = Vec::new();
        for (key, raw) in json::members(raw.get(), &|_| true).ok()? {
            let shape = Self::of(check, quoted, raw)?;
            if members.iter().any(|(known, _)| *known == key) {
                check.fault(shape.at, format!("`{key}` stands twice in one object"));
            }
            members.push((key.into_owned(), shape));
        }
        Some(ShapeKind::Object(members))
    }

    fn list(
        check: &mut Check<'_>,
        quoted: &Quoted<'t>,
        raw: &'t RawValue,
    ) -> Option<ShapeKind<'t>> {
        let elements = json::elements(raw.get(), usize::MAX).ok()?;
        let shapes = elements.into_iter().map(|raw| Self::of(check, quoted, raw));
        shapes.collect::<Option<Vec<_>>>().map(ShapeKind::List)
    }
}
