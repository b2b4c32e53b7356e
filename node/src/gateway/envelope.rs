//! Messages of a WebSocket without Socket.IO, as this node writes them: `{"type", "payload",
//! "requestId"}`, one text each.

use std::sync::{Arc, LazyLock};

use serde_json::json;

use crate::dialect::Frame;

/// Names the form of a frame as an envelope: one, whatever the path.
pub(super) static FORM: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from("envelope"));

/// An event, with the id of the request that it answers.
#[must_use]
pub(super) fn event(frame: &Frame) -> String {
    let (name, payload) = (json!(&*frame.event), frame.payload.get());
    match &frame.request {
        Some(id) => {
            format!(r#"{{"type":{name},"payload":{payload},"requestId":{}}}"#, id.as_json())
        }
        None => format!(r#"{{"type":{name},"payload":{payload}}}"#),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;
    use crate::dialect::envelope::RequestId;

    #[test]
    fn an_envelope_names_its_request_only_if_it_has_one() {
        let payload = RawValue::from_string(r#"{"a":1}"#.to_owned()).unwrap();
        let frame = Arc::new(Frame::new("SAY \"hi\"".into(), payload));
        let bare = r#"{"type":"SAY \"hi\"","payload":{"a":1}}"#;
        assert_eq!(event(&frame), bare);
        let shared = Arc::clone(&frame);
        let answer = frame.answering(RequestId::parse("\"r\\n1\"").unwrap());
        assert_eq!(event(&answer), r#"{"type":"SAY \"hi\"","payload":{"a":1},"requestId":"r\n1"}"#);
        assert_eq!(event(&shared), bare, "others hear nothing of it");
    }
}
