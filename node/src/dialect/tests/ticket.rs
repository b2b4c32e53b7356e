//! Every event of the `ticket` protocol, in both directions.

use std::time::Duration;

use crate::dialect::deed::Deed;
use crate::dialect::tests::samples::{entry, id, message, room, user};
use crate::dialect::tests::telling::{answered, told_by};
use crate::dialect::{Dialect, Dialects};
use crate::domain::event::Event;
use crate::domain::notice::Notice;
use crate::domain::refusal::Refusal;
use crate::domain::role::Participant;

fn ticket(dialects: &Dialects) -> &Dialect {
    dialects.get(dialects.by_name("ticket").unwrap())
}

#[test]
fn every_event_of_a_client_is_understood_also_beside_conversations() {
    let dialects = Dialects::builtin();
    let check = |packet: &str, expected: &str| {
        for namespace in ["/", "/ticket"] {
            let heard = match dialects.decode(namespace, packet) {
                Ok(request) => format!("{:?}", request.command),
                Err(malformed) => malformed.refusal.to_string(),
            };
            assert_eq!(heard, expected, "{namespace} {packet}");
        }
    };
    check(r#"["authenticate",{"token":"t"}]"#, "Authenticate { token: Token(…) }");
    check(r#"["join_ticket",{"ticketId":"123"}]"#, "Join { room: 123, since: None }");
    check(r#"["leave_ticket",{"ticketId":"123"}]"#, "Leave { room: 123 }");
    check(
        r#"["send_message",{"ticketId":"1","message":"a <b>","attachments":[]}]"#,
        r#"Send(Draft { room: 1, text: "a <b>", kind: "text", client_message_id: None, uploads: [] })"#,
    );
    let page = |limit, offset| {
        format!("History {{ room: 1, limit: {limit}, offset: {offset}, before: None }}")
    };
    check(r#"["get_messages",{"ticketId":"1"}]"#, &page(50, 0));
    check(r#"["get_messages",{"ticketId":"1","limit":20,"offset":40}]"#, &page(20, 40));
    check(r#"["get_messages",{"ticketId":"1","limit":9007199254740991}]"#, &page(100, 0));
    check(r#"["get_messages",{"ticketId":"1","limit":0}]"#, "limit must be a whole number from 1");
    check(
        r#"["get_messages",{"ticketId":"1","offset":-1}]"#,
        "offset must be a whole number from 0",
    );
    check(r#"["typing_start",{"ticketId":"1"}]"#, "Type { room: 1, active: true }");
    check(r#"["typing_stop",{"ticketId":"1"}]"#, "Type { room: 1, active: false }");
    check(r#"["get_online_users",{"ticketId":"1"}]"#, "Users { room: 1 }");
}

#[test]
fn a_ticket_need_not_be_joined_to_write_and_read() {
    let dialects = Dialects::builtin();
    let needs_join = |packet: &str| dialects.decode("/", packet).unwrap().terms.needs_join;
    assert!(!needs_join(r#"["send_message",{"ticketId":"1","message":"a"}]"#));
    assert!(!needs_join(r#"["get_messages",{"ticketId":"1"}]"#));
    assert!(!needs_join(r#"["get_online_users",{"ticketId":"1"}]"#));
    assert!(needs_join(r#"["message:send",{"conversationId":"1","content":"a"}]"#));
}

#[test]
fn every_event_to_a_client_is_in_its_words_without_tags() {
    let (dialects, id, room) = (Dialects::builtin(), id(), room());
    let user = Participant { name: "<Ann> & \"A\"".to_owned(), ..user() };
    let check = |notice: &Notice, expected: &str| {
        assert_eq!(told_by(ticket(&dialects), notice), expected);
    };
    check(
        &entry(message("<script>'x' & y</script>")),
        &format!(
            r#"all new_message {{"ticketId":"c1","data":{{"id":"{id}","ticketId":"c1","userId":"u1","userName":"Ann \"A\"","role":"agent","message":"&lt;script&gt;'x' & y&lt;/script&gt;","attachments":[],"createdAt":"2024-01-15T10:30:00.123Z"}}}}"#
        ),
    );
    let whom = r#"{"ticketId":"c1","userId":"u1","userName":"&lt;Ann&gt; & \"A\""}"#;
    let start = Notice::TypingStarted { room: room.clone(), user: user.clone() };
    check(&start, &format!("others user_typing {whom}"));
    let stop = Notice::TypingStopped { room: room.clone(), user: user.clone() };
    check(&stop, &format!("others user_stopped_typing {whom}"));
    let entered = Notice::Entered { room: room.clone(), user: user.clone() };
    check(&entered, &format!("others user_joined_ticket {whom}"));
    let left = Notice::Left { room: room.clone(), user: user.clone() };
    check(&left, &format!("others user_left_ticket {whom}"));
    let closed = entry(Event::RoomClosed { by: None, reason: Some("<done>".to_owned()) });
    check(&closed, r#"all ticket_closed {"ticketId":"c1","reason":"&lt;done&gt;"}"#);
    check(&Notice::UserOffline { room, user }, "nothing");
}

#[test]
fn every_answer_is_in_its_words() {
    let (dialects, id) = (Dialects::builtin(), id());
    let check = |event: &str, deed: Deed, expected: &str| {
        assert_eq!(answered(ticket(&dialects), event, deed), expected);
    };
    check(
        "join_ticket",
        Deed::Join,
        r#"{"ok":true,"ticketId":"c1","position":{"epoch":1700000000000,"seq":7},"resumed":true,"missed":3} + joined_ticket {"ticketId":"c1"}"#,
    );
    check("leave_ticket", Deed::Leave, r#"{"ok":true,"ticketId":"c1"}"#);
    check(
        "send_message",
        Deed::Send,
        &format!(
            r#"{{"ok":true,"id":"{id}","ticketId":"c1","createdAt":"2024-01-15T10:30:00.123Z","seq":7}}"#
        ),
    );
    let item = format!(
        r#"{{"id":"{id}","ticketId":"c1","userId":"u1","userName":"Ann \"A\"","role":"agent","message":"a &lt;b&gt;","attachments":[],"createdAt":"2024-01-15T10:30:00.123Z"}}"#
    );
    check(
        "get_messages",
        Deed::History,
        &format!(
            r#"{{"ok":true}} + messages {{"ticketId":"c1","messages":[{item},{item}],"limit":50,"offset":2,"total":9}}"#
        ),
    );
    check(
        "get_online_users",
        Deed::Users,
        r#"{"ok":true} + online_users {"ticketId":"c1","users":[{"userId":"u1","userName":"Ann \"A\"","role":"agent","status":"away"}]}"#,
    );
    let user = r#""user":{"id":"u1","name":"Ann \"A\"","role":"agent"}"#;
    check(
        "authenticate",
        Deed::Authenticate,
        &format!(r#"{{"ok":true,{user}}} + authenticated {{{user}}}"#),
    );
}

#[test]
fn every_refusal_is_in_its_words() {
    let dialects = Dialects::builtin();
    let check = |event: &str, refusal: Refusal, expected: &str| {
        let frame = ticket(&dialects).refusal_event(Some(event), &refusal);
        assert_eq!(format!("{} {}", frame.event, frame.payload.get()), expected);
    };
    let denied = r#"error {"message":"Access denied to this ticket","code":"ACCESS_DENIED"}"#;
    check("join_ticket", Refusal::RoomNotFound, denied);
    check("join_ticket", Refusal::AccessDenied, denied);
    check(
        "join_ticket",
        Refusal::AuthRequired,
        r#"error {"message":"User not authenticated","code":"AUTH_REQUIRED"}"#,
    );
    check(
        "authenticate",
        Refusal::AuthRequired,
        r#"authentication_error {"message":"User not authenticated"}"#,
    );
    check(
        "send_message",
        Refusal::RateLimited { retry_after: Duration::from_millis(7) },
        r#"error {"message":"Too many requests","code":"RATE_LIMIT_EXCEEDED","retryAfterMs":7}"#,
    );
}
