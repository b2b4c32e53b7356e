//! JSON as dialects read and write it: shallow reads that borrow, and text written in place.
//!
//! Clients' packets are read one level at a time and only where a pattern looks, so what nobody
//! asked for costs no memory.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Deepest nesting of a packet. Real ones have three levels.
pub(super) const DEPTH_MAX: usize = 128;

/// Greatest whole number that JavaScript holds exactly (2^53 − 1).
pub(super) const WHOLE_MAX: u64 = (1 << 53) - 1;

/// A JSON string, borrowed unless it holds escapes.
#[derive(Deserialize)]
struct Text<'j>(#[serde(borrow)] Cow<'j, str>);

/// The text of a JSON string; `None`: another type, or a broken escape such as half a surrogate.
pub(super) fn text(json: &str) -> Option<Cow<'_, str>> {
    serde_json::from_str(json).ok().map(|Text(text)| text)
}

/// Whether arrays and objects are nested deeper than [`DEPTH_MAX`]. Reads every byte once and
/// keeps one number, so it may look at any text before anything else does.
pub(super) fn is_too_deep(json: &str) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if DEPTH_MAX < depth {
            return true;
        }
    }
    false
}

/// The first `count_max` elements of an array; the rest is checked to be JSON and dropped.
pub(super) fn elements(json: &str, count_max: usize) -> serde_json::Result<Vec<&RawValue>> {
    read(json, Elements { count_max })
}

/// The members of an object whose keys are `wanted`, in order.
pub(super) fn members<'j>(
    json: &'j str,
    wanted: &dyn Fn(&str) -> bool,
) -> serde_json::Result<Vec<(Cow<'j, str>, &'j RawValue)>> {
    read(json, Members { wanted })
}

fn read<'j, S: DeserializeSeed<'j>>(json: &'j str, seed: S) -> serde_json::Result<S::Value> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let value = seed.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

struct Elements {
    count_max: usize,
}

impl<'j> DeserializeSeed<'j> for Elements {
    type Value = Vec<&'j RawValue>;

    fn deserialize<D: Deserializer<'j>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_seq(self)
    }
}

impl<'j> Visitor<'j> for Elements {
    type Value = Vec<&'j RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'j>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while elements.len() < self.count_max {
            match seq.next_element()? {
                Some(element) => elements.push(element),
                None => return Ok(elements),
            }
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(elements)
    }
}

struct Members<'w> {
    wanted: &'w dyn Fn(&str) -> bool,
}

impl<'j> DeserializeSeed<'j> for Members<'_> {
    type Value = Vec<(Cow<'j, str>, &'j RawValue)>;

    fn deserialize<D: Deserializer<'j>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'j> Visitor<'j> for Members<'_> {
    type Value = Vec<(Cow<'j, str>, &'j RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'j>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(Text(key)) = map.next_key()? {
            if (self.wanted)(&key) {
                members.push((key, map.next_value()?));
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(members)
    }
}

/// The number that `text` writes in the one way that JavaScript would: no sign, no leading zero,
/// at most [`WHOLE_MAX`].
pub(super) fn whole(text: &str) -> Option<u64> {
    let is_canonical = text.bytes().all(|it| it.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'))
        && text.len() <= 16;
    if !is_canonical {
        return None;
    }
    text.parse().ok().filter(|&number| number <= WHOLE_MAX)
}

/// Writes `text` as a JSON string.
pub(super) fn write_text(out: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c < ' ' || c == '"' || c == '\\') {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        let byte = special.as_bytes()[0]; // `find` stopped at a character of one byte
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ => {
                out.push_str("\\u00");
                out.push(char::from(HEX[usize::from(byte >> 4)]));
                out.push(char::from(HEX[usize::from(byte & 0xf)]));
            }
        }
        rest = &special[1..];
    }
    out.push_str(rest);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_reads_back_as_it_was_written(text in any::<String>()) {
            let mut out = String::new();
            write_text(&mut out, &text);
            prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }
    }

    #[test]
    fn depth_counts_brackets_outside_of_texts_only() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(!is_too_deep(&nested(128)));
        assert!(is_too_deep(&nested(129)));
        assert!(is_too_deep(&"[".repeat(10_000_000)));
        assert!(!is_too_deep(&format!(r#"["{}", "\"{}"]"#, "[".repeat(200), "{".repeat(200))));
    }

    #[test]
    fn whole_numbers_are_those_that_javascript_writes_back() {
        for (text, number) in
            [("0", Some(0)), ("123", Some(123)), ("9007199254740991", Some(WHOLE_MAX))]
        {
            assert_eq!(whole(text), number);
        }
        for text in ["", "01", "-1", "1.0", "1e3", "9007199254740992", "99999999999999999999"] {
            assert_eq!(whole(text), None, "{text} was taken");
        }
    }
}
