//! Bytes that come beside an event's JSON. They take the places that the JSON keeps for them, in base64:
//! so dialects read one form, whether or not a client sends bytes as they are.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::domain::attachment::ATTACHMENTS_MAX;

/// Parts of bytes that may come with one event: as many as files may.
pub(super) const PARTS_MAX: usize = ATTACHMENTS_MAX;

/// Bytes that stand for so many in base64.
#[must_use]
pub(super) fn written_len(bytes: usize) -> usize {
    bytes.div_ceil(3).saturating_mul(4)
}

/// The packet with all parts in it; `None`: it is no JSON, or its places are not one for each part.
#[must_use]
pub(super) fn join<P: AsRef<[u8]>>(
    packet: &str,
    parts: impl IntoIterator<Item = P>,
) -> Option<String> {
    let mut value: Value = serde_json::from_str(packet).ok()?;
    // Each is used once: whoever repeats a place would have more made than was sent.
    let mut parts: Vec<Option<P>> = parts.into_iter().map(Some).collect();
    fill(&mut value, &mut parts)?;
    parts.iter().all(Option::is_none).then(|| value.to_string())
}

fn fill<P: AsRef<[u8]>>(value: &mut Value, parts: &mut [Option<P>]) -> Option<()> {
    match value {
        Value::Object(members) if members.get("_placeholder") == Some(&Value::Bool(true)) => {
            let number = usize::try_from(members.get("num")?.as_u64()?).ok()?;
            let part = parts.get_mut(number)?.take()?;
            *value = Value::String(STANDARD.encode(part));
            Some(())
        }
        Value::Object(members) => members.values_mut().try_for_each(|it| fill(it, parts)),
        Value::Array(all) => all.iter_mut().try_for_each(|it| fill(it, parts)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Some(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_take_their_places() {
        let packet = r#"["a",{"f":[{"d":{"_placeholder":true,"num":1}},{"_placeholder":true,"num":0}],"n":1}]"#;
        let joined = join(packet, [&b"\xff\x00"[..], b"ab"]);
        assert_eq!(joined.as_deref(), Some(r#"["a",{"f":[{"d":"YWI="},"/wA="],"n":1}]"#));
        assert_eq!(["", "ab", "\0\0\0", "abcd"].map(|it| written_len(it.len())), [0, 4, 4, 8]);
    }

    #[test]
    fn places_that_are_missing_or_said_twice_are_none() {
        for packet in [
            r#"["a"]"#,
            r#"["a",{"_placeholder":true}]"#,
            r#"["a",{"_placeholder":true,"num":1}]"#,
            r#"["a",{"_placeholder":true,"num":-1}]"#,
            r#"["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]"#,
            r#"["a",{"_placeholder":true,"num":0}"#,
        ] {
            assert_eq!(join(packet, [b"x"]), None, "{packet}");
        }
    }
}
