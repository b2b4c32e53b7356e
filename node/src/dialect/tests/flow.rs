//! Every message of the `flow` protocol, in both directions.

use std::time::Duration;

use crate::dialect::deed::Deed;
use crate::dialect::envelope::RequestId;
use crate::dialect::tests::samples::{entry, id, message, position, room, user};
use crate::dialect::tests::telling::{answered, told_by};
use crate::dialect::{Dialect, DialectId, Dialects, Venue};
use crate::domain::event::Event;
use crate::domain::notice::Notice;
use crate::domain::refusal::{Outcome, Refusal};

fn flow(dialects: &Dialects) -> &Dialect {
    dialects.get(flow_id(dialects))
}

fn flow_id(dialects: &Dialects) -> DialectId {
    dialects.by_name("flow").unwrap()
}

/// What an envelope is understood as, and the id that its answer carries.
fn heard(dialects: &Dialects, text: &str) -> String {
    let (what, request) = match dialects.unseal("/ws", text) {
        Ok(request) => (format!("{:?}", request.command), request.request),
        Err(malformed) => (malformed.refusal.to_string(), malformed.request),
    };
    let request = request.as_ref().map_or("-", RequestId::as_json);
    format!("{request} {what}")
}

#[test]
fn every_message_of_a_client_is_understood() {
    let dialects = Dialects::builtin();
    let check = |kind: &str, payload: &str, expected: &str| {
        let text = format!(r#"{{"type":"{kind}","payload":{payload},"requestId":"r1"}}"#);
        assert_eq!(heard(&dialects, &text), format!("\"r1\" {expected}"));
    };
    check("AUTHENTICATE", r#"{"token":"t","username":"n"}"#, "Authenticate { token: Token(…) }");
    check("JOIN_ROOM", r#"{"roomId":"r"}"#, "Join { room: r, since: None }");
    check(
        "CREATE_ROOM",
        r#"{"name":"General","type":"private"}"#,
        r#"CreateRoom { name: "General", description: "", visibility: Private }"#,
    );
    check("LEAVE_ROOM", r#"{"roomId":"r"}"#, "Leave { room: r }");
    let send = |kind: &str, key: &str| {
        format!(
            r#"Send(Draft {{ room: r, text: "a <b>", kind: "{kind}", client_message_id: {key}, uploads: [] }})"#
        )
    };
    check("SEND_MESSAGE", r#"{"roomId":"r","content":"a <b>"}"#, &send("text", "None"));
    check(
        "SEND_MESSAGE",
        r#"{"roomId":"r","content":"a <b>","type":"image","clientMessageId":"k"}"#,
        &send("image", "Some(k)"),
    );
    check(
        "SEND_MESSAGE",
        r#"{"roomId":"r","content":"a","type":"system"}"#,
        "messages of the type `system` are not taken",
    );
    check("TYPING_STATUS", r#"{"roomId":"r","isTyping":true}"#, "Type { room: r, active: true }");
    check("TYPING_STATUS", r#"{"roomId":"r","isTyping":false}"#, "Type { room: r, active: false }");
    let page = |limit: u32, before: &str| {
        format!("History {{ room: r, limit: {limit}, offset: 0, before: {before} }}")
    };
    check("GET_HISTORY", r#"{"roomId":"r"}"#, &page(50, "None"));
    let before = format!(r#"{{"roomId":"r","limit":1000,"before":"{}"}}"#, id());
    check("GET_HISTORY", &before, &page(100, &format!("Some({:?})", id())));
}

#[test]
fn what_is_malformed_is_told_by_the_clients_own_names() {
    let dialects = Dialects::builtin();
    let check = |text: &str, expected: &str| assert_eq!(heard(&dialects, text), expected, "{text}");
    for text in ["", "7", "[]", "null", r#"["JOIN_ROOM",{}]"#, r#"{"type":"JOIN_ROOM""#] {
        check(text, "- no JSON object");
    }
    check("{}", "- type must be a text");
    check(r#"{"type":null,"requestId":7}"#, "7 type must be a text");
    check(r#"{"type":"NONSENSE","requestId":null}"#, "- Unknown event");
    check(r#"{"type":"connect","requestId":1}"#, "1 Unknown event");
    check(r#"{"type":"JOIN_ROOM","requestId":"r"}"#, "\"r\" payload is missing");
    check(r#"{"type":"JOIN_ROOM","payload":"r"}"#, "- payload must be an object");
    check(r#"{"type":"JOIN_ROOM","payload":{}}"#, "- roomId is missing");
    check(r#"{"type":"TYPING_STATUS","payload":{"roomId":"r"}}"#, "- isTyping is missing");
    check(
        r#"{"type":"JOIN_ROOM","payload":{"roomId":"r"},"requestId":{}}"#,
        "- requestId must be a text of at most 128 bytes",
    );
    let deep = format!(r#"{{"requestId":1,"type":"JOIN_ROOM","payload":{}"#, "[".repeat(200));
    check(&deep, "- no JSON object");
    let deep = format!("{deep}{}}}", "]".repeat(200));
    check(&deep, "1 nested too deep");
}

#[test]
fn a_message_that_is_cut_or_changed_does_no_harm() {
    let dialects = Dialects::builtin();
    let text = r#"{"type":"SEND_MESSAGE","payload":{"roomId":"r","content":"a"},"requestId":"1"}"#;
    assert!(dialects.unseal("/ws", text).is_ok());
    for at in 0..text.len() {
        let (before, after) = text.split_at(at);
        assert!(dialects.unseal("/ws", before).is_err(), "{before}");
        for other in ["\"", "{", "}", "[", ",", ":", "0", "\\", "\u{0}", "é"] {
            // Whether it is still a message is not the question.
            let changed = format!("{before}{other}{}", &after[1..]);
            let _understood = dialects.unseal("/ws", &changed).is_ok();
        }
    }
}

#[test]
fn it_is_spoken_on_its_paths_and_on_no_namespace() {
    let dialects = Dialects::builtin();
    let venue = |path: &str| Venue::Path(path.into());
    for path in ["/ws", "/"] {
        assert_eq!(dialects.expected(&venue(path), Some("ticket")), dialects.by_name("flow"));
    }
    assert_eq!(dialects.expected(&venue("/desk"), None), None);
    let id = flow_id(&dialects);
    assert!(dialects.namespaces().iter().all(|(_, spoken)| !spoken.contains(&id)));
    let join = r#"["JOIN_ROOM",{"roomId":"r"}]"#;
    assert_eq!(dialects.decode("/", join).unwrap_err().refusal, Refusal::UnknownEvent);
    let other = r#"{"type":"join_ticket","payload":{"ticketId":"r"}}"#;
    assert_eq!(heard(&dialects, other), "- Unknown event");
}

#[test]
fn every_message_to_a_client_is_in_its_words() {
    let (dialects, id, room, user) = (Dialects::builtin(), id(), room(), user());
    let check = |notice: &Notice, expected: &str| {
        assert_eq!(told_by(flow(&dialects), notice), expected);
    };
    check(
        &entry(message("a <b>")),
        &format!(
            r#"all NEW_MESSAGE {{"id":"{id}","roomId":"c1","userId":"u1","username":"Ann \"A\"","content":"a <b>","type":"text","timestamp":"2024-01-15T10:30:00.123Z"}}"#
        ),
    );
    let whom = r#""roomId":"c1","userId":"u1","username":"Ann \"A\"""#;
    let start = Notice::TypingStarted { room: room.clone(), user: user.clone() };
    check(&start, &format!(r#"others TYPING_UPDATE {{{whom},"isTyping":true}}"#));
    let stop = Notice::TypingStopped { room: room.clone(), user: user.clone() };
    check(&stop, &format!(r#"others TYPING_UPDATE {{{whom},"isTyping":false}}"#));
    let entered = Notice::Entered { room: room.clone(), user: user.clone() };
    check(&entered, &format!("others USER_JOINED {{{whom}}}"));
    let left = Notice::Left { room: room.clone(), user: user.clone() };
    check(&left, &format!("others USER_LEFT {{{whom}}}"));
    let closed = |reason: Option<&str>| {
        entry(Event::RoomClosed { by: None, reason: reason.map(str::to_owned) })
    };
    check(&closed(None), r#"all ROOM_CLOSED {"roomId":"c1"}"#);
    check(&closed(Some("done")), r#"all ROOM_CLOSED {"roomId":"c1","reason":"done"}"#);
    let reset = Notice::HistoryReset { room: room.clone(), position: position() };
    check(
        &reset,
        r#"all HISTORY_RESET {"roomId":"c1","position":{"epoch":1700000000000,"seq":7}}"#,
    );
    check(&Notice::UserOffline { room, user: user.clone() }, "nothing");
    check(&Notice::Connected { user, socket: "s".to_owned() }, "nothing");
}

#[test]
fn every_answer_is_in_its_words() {
    let (dialects, id) = (Dialects::builtin(), id());
    let check = |event: &str, deed: Deed, expected: &str| {
        assert_eq!(answered(flow(&dialects), event, deed), format!(r#"{{"ok":true}}{expected}"#));
    };
    check(
        "AUTHENTICATE",
        Deed::Authenticate,
        r#" + AUTH_SUCCESS {"userId":"u1","username":"Ann \"A\"","status":"online"}"#,
    );
    let told = r#""id":"c1","name":"c1","description":"","type":"public""#;
    let created = r#""createdAt":"2024-01-15T10:30:00.123Z""#;
    check(
        "CREATE_ROOM",
        Deed::Create,
        &format!(r#" + ROOM_CREATED {{"room":{{{told},"memberCount":1,{created}}}}}"#),
    );
    let item = format!(
        r#"{{"id":"{id}","roomId":"c1","userId":"u1","username":"Ann \"A\"","content":"a <b>","type":"text","timestamp":"2024-01-15T10:30:00.123Z"}}"#
    );
    let place = r#""position":{"epoch":1700000000000,"seq":7},"resumed":true,"missed":3"#;
    let users = r#""users":[{"userId":"u1","username":"Ann \"A\"","status":"away"}]"#;
    check(
        "JOIN_ROOM",
        Deed::Join,
        &format!(
            r#" + ROOM_JOINED {{"room":{{{told},"memberCount":2,{created}}},"messages":[{item},{item}],{users},{place}}}"#
        ),
    );
    check("LEAVE_ROOM", Deed::Leave, r#" + ROOM_LEFT {"roomId":"c1"}"#);
    check("SEND_MESSAGE", Deed::Send, "");
    check("TYPING_STATUS", Deed::SetTyping, "");
    check(
        "GET_HISTORY",
        Deed::History,
        &format!(r#" + HISTORY {{"roomId":"c1","messages":[{item},{item}]}}"#),
    );
}

#[test]
fn every_refusal_is_an_error_with_its_code() {
    let dialects = Dialects::builtin();
    let check = |refusal: Refusal, code: &str, rest: &str| {
        let frame = flow(&dialects).refusal_event(Some("JOIN_ROOM"), &refusal);
        let expected = format!(r#"ERROR {{"code":"{code}","message":"{refusal}"{rest}}}"#);
        assert_eq!(format!("{} {}", frame.event, frame.payload.get()), expected);
    };
    check(Refusal::AuthRequired, "UNAUTHORIZED", "");
    check(Refusal::AccessDenied, "ACCESS_DENIED", "");
    check(Refusal::RoomNotFound, "ROOM_NOT_FOUND", "");
    check(Refusal::NotAMember, "NOT_A_MEMBER", "");
    check(Refusal::RoomClosed, "ROOM_INACTIVE", "");
    check(Refusal::invalid("roomId is missing"), "INVALID_MESSAGE", "");
    check(Refusal::UserNotFound, "USER_NOT_FOUND", "");
    check(Refusal::UnknownEvent, "INVALID_MESSAGE", "");
    check(Refusal::StorageFull, "STORAGE_FULL", "");
    let wait = r#","details":"retry after 1000 ms","retryAfterMs":1000"#;
    let retry_after = Duration::from_secs(1);
    check(Refusal::RateLimited { retry_after }, "RATE_LIMIT_EXCEEDED", wait);
    check(Refusal::Busy { retry_after }, "BUSY", wait);
    check(Refusal::Unavailable(Outcome::Refused), "SERVER_ERROR", "");
    let unknown = r#","details":"it may have been stored: retry with the same clientMessageId""#;
    check(Refusal::Unavailable(Outcome::Unknown), "SERVER_ERROR", unknown);
}
