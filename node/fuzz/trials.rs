//! What each target does with its bytes: nothing may panic or hang, and what can be compared agrees.

use std::sync::LazyLock;

use parlance::dialect::envelope::request_id;
use parlance::dialect::{Dialects, Malformed, Venue};
use parlance::gateway::untrusted;

static DIALECTS: LazyLock<Dialects> = LazyLock::new(Dialects::builtin);

/// Frames of a WebSocket, deflated ones too: the same is heard however they are cut.
pub(crate) fn frames(bytes: &[u8]) {
    let whole = untrusted::frames(bytes, bytes.len());
    for piece in [1, 7] {
        assert_eq!(untrusted::frames(bytes, piece), whole, "in pieces of {piece}");
    }
}

/// Packets of Engine.IO and Socket.IO.
pub(crate) fn packets(bytes: &[u8]) {
    untrusted::packet(&String::from_utf8_lossy(bytes));
}

/// Envelopes: what is understood, and the id of what is not.
pub(crate) fn envelopes(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let understood = DIALECTS.unseal("/ws", &text);
    let found = request_id(&text);
    if let Ok(request) = understood {
        assert_eq!(request.request, found);
    }
}

/// Events and CONNECTs of every dialect on every namespace. A refusal can be told to the client.
pub(crate) fn dialects(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for venue in DIALECTS.venues() {
        let Venue::Namespace(namespace) = &venue else { continue };
        let _may_be_large = DIALECTS.takes_files(namespace, &text);
        let told = match DIALECTS.decode(namespace, &text) {
            Err(Malformed { dialect: Some(dialect), event, refusal, .. }) => {
                DIALECTS.get(dialect).refusal_event(event.as_deref(), &refusal)
            }
            Ok(_) | Err(_) => continue,
        };
        assert!(told.payload.get().starts_with('{'));
    }
    for name in ["case", "conversation", "desk", "ticket"] {
        if let Some(dialect) = DIALECTS.by_name(name) {
            drop(DIALECTS.greeting(dialect, Some(&text)));
        }
    }
}
