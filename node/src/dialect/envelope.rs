//! Messages of a WebSocket without Socket.IO: `{"type", "payload", "requestId"}`.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::dialect::json;

/// Longest `requestId` as JSON: a UUID, a counter or a name of the client's own.
const REQUEST_ID_BYTES_MAX: usize = 130;

/// A client's own id of something that it asked: a JSON text or number, given back as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Box<str>);

impl RequestId {
    /// Takes the JSON of an id; `None`: it is too long, or of another type, or no JSON.
    #[must_use]
    pub fn parse(json: &str) -> Option<Self> {
        let is_id = json.starts_with(|c: char| c == '"' || c == '-' || c.is_ascii_digit())
            && json.len() <= REQUEST_ID_BYTES_MAX
            && serde_json::from_str::<&RawValue>(json).is_ok();
        is_id.then(|| Self(Box::from(json)))
    }

    /// The id's JSON.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.0
    }
}

/// The parts of a message, none of them understood yet.
#[derive(Debug, Default)]
pub(super) struct Envelope<'a> {
    pub(super) name: Option<Cow<'a, str>>,
    pub(super) payload: Option<&'a RawValue>,
    pub(super) request: Option<&'a RawValue>,
}

impl<'a> Envelope<'a> {
    /// Takes a message apart; `None`: it is no JSON object. What nobody asks for is passed over.
    pub(super) fn open(text: &'a str) -> Option<Self> {
        let is_part = |key: &str| matches!(key, "type" | "payload" | "requestId");
        let mut envelope = Self::default();
        // Of a key that stands twice, the last one counts, as in JavaScript.
        for (key, raw) in json::members(text, &is_part).ok()? {
            match &*key {
                "type" => envelope.name = json::text(raw.get()),
                "payload" => envelope.payload = Some(raw),
                _ => envelope.request = Some(raw).filter(|it| it.get() != "null"),
            }
        }
        Some(envelope)
    }
}

/// The request's id in a message that is not understood otherwise, if it has one.
#[must_use]
pub fn request_id(text: &str) -> Option<RequestId> {
    RequestId::parse(Envelope::open(text)?.request?.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_short_text_or_a_number() {
        let long = format!("\"{}\"", "x".repeat(128));
        for json in ["\"a\"", "\"\"", "\"\\u00e9 \\\"\"", "7", "-1.5e3", &long] {
            assert_eq!(RequestId::parse(json).unwrap().as_json(), json);
        }
        let longer = format!("\"{}\"", "x".repeat(129));
        for json in ["", "a", "\"a", "{}", "[1]", "true", "null", "7,8", "\"a\"}", &longer] {
            assert_eq!(RequestId::parse(json), None, "{json}");
        }
    }

    #[test]
    fn the_id_is_found_wherever_it_stands() {
        let id = |text: &str| request_id(text).map(|it| it.as_json().to_owned());
        let seven = Some("7".to_owned());
        assert_eq!(id(r#"{"type":5,"requestId":7,"payload":[{"requestId":8}]}"#), seven);
        assert_eq!(id(r#"{"requestId":1,"requestId":7}"#), seven);
        for text in ["", "7", "[]", "{}", r#"{"requestId":null}"#, r#"{"requestId":7"#] {
            assert_eq!(id(text), None, "{text}");
        }
    }
}
