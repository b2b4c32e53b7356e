//! From notices, replies and refusals to what clients hear, event by event.

use std::sync::Arc;
use std::time::Duration;

use crate::dialect::deed::Deed;
use crate::dialect::occasion::Occasion;
use crate::dialect::offer::{Offer, REFUSAL_OFFER};
use crate::dialect::tests::samples::{
    AT, entry, id, message, notices, position, reply_to, room, user,
};
use crate::dialect::tests::{compiled, first};
use crate::dialect::words::{Style, Words};
use crate::dialect::{Audience, Dialect, Dialects, Frame};
use crate::domain::event::{Entry, Event};
use crate::domain::id::{RoomId, UserId};
use crate::domain::notice::Notice;
use crate::domain::presence::Status;
use crate::domain::refusal::{Outcome, Refusal};

#[test]
fn every_name_that_templates_may_use_has_a_value() {
    let check = |words: &Words<'_>, offer: Offer, what: &str| {
        for word in [offer.always, offer.sometimes].concat() {
            assert!(words.get(word).is_some(), "{what} has no ${}", word.as_str());
        }
    };
    let (notices, style) = (notices(), Style::default());
    for occasion in Occasion::ALL {
        let notice = notices.iter().find(|it| Occasion::of(it) == Some(occasion)).unwrap();
        check(&Words::of_notice(notice, &style), occasion.offer(), occasion.as_str());
    }
    for deed in Deed::ALL {
        check(&Words::of_reply(&reply_to(deed), &style), deed.offer(), deed.as_str());
    }
    let refusal = Refusal::Busy { retry_after: Duration::from_secs(1) };
    let words = Words::of_refusal(&refusal, refusal.code(), "".into(), &style);
    check(&words, REFUSAL_OFFER, "a refusal");
}

/// What everybody or the others hear: `all event payload`.
fn told(dialects: &Dialects, notice: &Notice) -> String {
    told_by(first(dialects), notice)
}

pub(super) fn told_by(dialect: &Dialect, notice: &Notice) -> String {
    let Some(spoken) = dialect.encode(notice) else {
        return "nothing".to_owned();
    };
    let to = match spoken.to {
        Audience::All => "all",
        Audience::Others => "others",
    };
    format!("{to} {} {}", spoken.frame.event, spoken.frame.payload.get())
}

#[test]
fn a_conversation_hears_each_thing_in_its_words() {
    let (dialects, id) = (Dialects::builtin(), id());
    let (room, user, status) = (room(), user(), Status::Away);
    let check = |notice: Notice, expected: &str| assert_eq!(told(&dialects, &notice), expected);
    check(
        Notice::Connected { user: user.clone(), socket: "s1".to_owned() },
        r#"all connected {"userId":"u1","socketId":"s1"}"#,
    );
    check(
        entry(message("hi\n\"you\"")),
        &format!(
            r#"others message:new {{"id":"{id}","conversationId":"c1","senderId":"u1","content":"hi\n\"you\"","type":"text","timestamp":"2024-01-15T10:30:00.123Z"}}"#
        ),
    );
    check(
        Notice::Delivered { message: id },
        &format!(r#"all message:delivered {{"messageId":"{id}"}}"#),
    );
    check(
        Notice::Read { message: id, reader: UserId::parse("u2").unwrap() },
        &format!(r#"all message:read {{"messageId":"{id}","userId":"u2"}}"#),
    );
    check(
        Notice::TypingStarted { room: room.clone(), user: user.clone() },
        r#"others typing:start {"userId":"u1","conversationId":"c1"}"#,
    );
    check(
        Notice::TypingStopped { room: room.clone(), user: user.clone() },
        r#"others typing:stop {"userId":"u1","conversationId":"c1"}"#,
    );
    check(
        Notice::Present { room: room.clone(), user: user.clone(), status },
        r#"others user:online {"userId":"u1","status":"away"}"#,
    );
    check(
        Notice::UserOnline { room: room.clone(), user: user.clone(), status },
        r#"others user:online {"userId":"u1","status":"away"}"#,
    );
    check(Notice::Left { room: room.clone(), user: user.clone() }, "nothing");
    check(
        Notice::UserOffline { room: room.clone(), user },
        r#"others user:offline {"userId":"u1"}"#,
    );
    check(
        Notice::HistoryReset { room, position: position() },
        r#"all history:reset {"room":"c1","position":{"epoch":1700000000000,"seq":7}}"#,
    );
    check(
        Notice::TokenExpiring { expires_at: AT },
        r#"all token:expiring {"expiresAt":"2024-01-15T10:30:00.123Z"}"#,
    );
}

#[test]
fn a_redaction_is_told_in_each_protocols_manner() {
    let (dialects, id) = (Dialects::builtin(), id());
    let edited = entry(Event::MessageEdited { message: id, text: "<b>".to_owned() });
    let deleted = entry(Event::MessageDeleted { message: id });
    let check = |name: &str, expected: [String; 2]| {
        let dialect = dialects.get(dialects.by_name(name).unwrap());
        assert_eq!([told_by(dialect, &edited), told_by(dialect, &deleted)], expected);
    };
    let at = "2024-01-15T10:30:00.123Z";
    check(
        "conversation",
        [
            format!(
                r#"all message:updated {{"id":"{id}","conversationId":"c1","content":"<b>","updatedAt":"{at}"}}"#
            ),
            format!(r#"all message:deleted {{"id":"{id}","conversationId":"c1"}}"#),
        ],
    );
    check(
        "desk",
        [
            r#"all messageUpdated {"chat_id":7,"chatGroupId":"c1","chat_message":"&lt;b&gt;"}"#
                .into(),
            r#"all messageDeleted {"chat_id":7,"chatGroupId":"c1"}"#.into(),
        ],
    );
    check(
        "ticket",
        [
            format!(
                r#"all message_updated {{"ticketId":"c1","data":{{"id":"{id}","message":"&lt;b&gt;"}}}}"#
            ),
            format!(r#"all message_deleted {{"ticketId":"c1","data":{{"id":"{id}"}}}}"#),
        ],
    );
}

#[test]
fn what_the_application_gave_is_handed_on_as_it_is() {
    let dialects = Dialects::builtin();
    let check = |notice: Notice, expected: &str| assert_eq!(told(&dialects, &notice), expected);
    let updated = |metadata: &str| entry(Event::RoomUpdated { metadata: metadata.to_owned() });
    let end = r#""updatedAt":"2024-01-15T10:30:00.123Z"}"#;
    check(
        updated(r#"{"title": "T", "n": 1.50, "id": "forged", "deep": {"id": 1}}"#),
        &format!(
            r#"all conversation:updated {{"id":"c1","title":"T","n":1.50,"deep":{{"id": 1}},{end}"#
        ),
    );
    check(updated("{}"), &format!(r#"all conversation:updated {{"id":"c1",{end}"#));
    check(updated("[]"), "nothing");
    check(updated("{"), "nothing");
    check(entry(Event::RoomDeleted), r#"all conversation:deleted {"conversationId":"c1"}"#);
    check(
        entry(Event::RoomClosed { by: None, reason: None }),
        &format!(r#"all conversation:updated {{"id":"c1","status":"closed",{end}"#),
    );
    check(
        entry(Event::RoomReopened),
        &format!(r#"all conversation:updated {{"id":"c1","status":"open",{end}"#),
    );
    check(entry(Event::AccessChanged { user: None }), "nothing");
    check(entry(Event::Erased), "nothing");
    let emitted = |data: &str| Notice::Emitted { event: "x:y".to_owned(), data: data.to_owned() };
    check(emitted(r#"{"a": 1.50}"#), r#"all x:y {"a": 1.50}"#);
    check(emitted("{"), "nothing");
    for data in [r#"{"id":"n1", "x":[null]}"#, "5", "\"text\""] {
        let notice = Notice::Notification { data: data.to_owned() };
        check(notice, &format!("all notification:new {data}"));
    }
    check(Notice::Notification { data: "{\"a\"".to_owned() }, "nothing");
}

/// The acknowledgement of an event, and the events that answer it.
pub(super) fn answered(dialect: &Dialect, event: &str, deed: Deed) -> String {
    let answer = dialect.reply(event, &reply_to(deed));
    let spoken = |frame: &Arc<Frame>| format!(" + {} {}", frame.event, frame.payload.get());
    let events: String = answer.events.iter().map(spoken).collect();
    answer.ack.get().to_owned() + &events
}

#[test]
fn a_conversations_answers_carry_what_was_done() {
    let (dialects, id) = (Dialects::builtin(), id());
    let check = |event: &str, deed: Deed, expected: &str| {
        assert_eq!(answered(first(&dialects), event, deed), expected);
    };
    check(
        "conversation:join",
        Deed::Join,
        r#"{"ok":true,"conversationId":"c1","position":{"epoch":1700000000000,"seq":7},"resumed":true,"missed":3}"#,
    );
    check("conversation:leave", Deed::Leave, r#"{"ok":true,"conversationId":"c1"}"#);
    check(
        "message:send",
        Deed::Send,
        &format!(
            r#"{{"ok":true,"id":"{id}","conversationId":"c1","timestamp":"2024-01-15T10:30:00.123Z","seq":7}}"#
        ),
    );
    check("message:read", Deed::MarkRead, r#"{"ok":true}"#);
    check("typing:start", Deed::StartTyping, r#"{"ok":true}"#);
    check("typing:stop", Deed::StopTyping, r#"{"ok":true}"#);
    check("user:status", Deed::SetStatus, r#"{"ok":true,"status":"busy"}"#);
    let user_json = r#""user":{"id":"u1","name":"Ann \"A\"","role":"agent"}"#;
    check(
        "authenticate",
        Deed::Authenticate,
        &format!(r#"{{"ok":true,{user_json}}} + authenticated {{{user_json}}}"#),
    );
    check("no such event", Deed::MarkRead, r#"{"ok":true}"#);
}

#[test]
fn a_conversations_refusals_say_whether_asking_again_is_safe() {
    let dialects = Dialects::builtin();
    let check = |refusal: Refusal, ack: &str, event: &str| {
        let dialect = first(&dialects);
        assert_eq!(dialect.refusal_ack(&refusal).get(), ack);
        let frame = dialect.refusal_event(Some("message:send"), &refusal);
        assert_eq!((&*frame.event, frame.payload.get()), ("error", event));
    };
    check(
        Refusal::invalid("content is \"missing\""),
        r#"{"ok":false,"error":{"code":"INVALID_DATA","message":"content is \"missing\"","outcome":"refused"}}"#,
        r#"{"message":"content is \"missing\"","code":"INVALID_DATA"}"#,
    );
    check(
        Refusal::RateLimited { retry_after: Duration::from_micros(250_001) },
        r#"{"ok":false,"error":{"code":"RATE_LIMIT_EXCEEDED","message":"Too many requests","outcome":"refused","retryAfterMs":251}}"#,
        r#"{"message":"Too many requests","code":"RATE_LIMIT_EXCEEDED","details":"retry after 251 ms","retryAfterMs":251}"#,
    );
    check(
        Refusal::Unavailable(Outcome::Unknown),
        r#"{"ok":false,"error":{"code":"SERVER_ERROR","message":"Server error","outcome":"unknown"}}"#,
        r#"{"message":"Server error","code":"SERVER_ERROR","details":"it may have been stored: retry with the same clientMessageId"}"#,
    );
    let frame = first(&dialects).refusal_event(Some("authenticate"), &Refusal::AuthRequired);
    assert_eq!(&*frame.event, "authentication_error");
    assert_eq!(frame.payload.get(), r#"{"message":"Authentication required"}"#);
    let frame = first(&dialects).refusal_event(None, &Refusal::UnknownEvent);
    assert_eq!(frame.payload.get(), r#"{"message":"Unknown event","code":"UNKNOWN_EVENT"}"#);
}

#[test]
fn a_dialect_may_spell_codes_ids_and_absence_its_own_way() {
    let dialects = compiled(
        r#"
        namespaces = "/"
        ids = "numbers"
        refused = { event = "error", payload = '["$error.code", "$error.message"]' }
        codes.AUTH_REQUIRED = "UNAUTHORIZED"
        codes.ROOM_NOT_FOUND = { code = "ACCESS_DENIED", message = "Not yours" }
        [[server]]
        on = "message.posted"
        to = "all"
        event = "said"
        payload = '{ "c": "$message.client_id?", "n": "$nth", "by": ["$user.id", "x", null], "group": "$room" }'
        [[server]]
        on = "room.closed"
        to = "all"
        event = "closed"
        payload = '{ "by": "$user.id?", "why": "$reason?", "v": 1.50, "more": {} }'
        "#,
    );
    let dialect = first(&dialects);
    let frame = dialect.refusal_event(None, &Refusal::AuthRequired);
    assert_eq!(frame.payload.get(), r#"["UNAUTHORIZED","Authentication required"]"#);
    let frame = dialect.refusal_event(None, &Refusal::RoomNotFound);
    assert_eq!(frame.payload.get(), r#"["ACCESS_DENIED","Not yours"]"#);
    let check = |notice: Notice, expected: &str| assert_eq!(told(&dialects, &notice), expected);
    let mut posted = Entry {
        room: RoomId::parse("123").unwrap(),
        position: position(),
        nth: 5,
        at: AT,
        origin: None,
        event: message("a"),
    };
    check(
        Notice::Entry(Arc::new(posted.clone())),
        r#"all said {"c":"m-1","n":5,"by":["u1","x",null],"group":123}"#,
    );
    posted.room = RoomId::parse("0123").unwrap();
    check(
        Notice::Entry(Arc::new(posted)),
        r#"all said {"c":"m-1","n":5,"by":["u1","x",null],"group":"0123"}"#,
    );
    check(
        entry(Event::RoomClosed { by: None, reason: None }),
        r#"all closed {"v":1.50,"more":{}}"#,
    );
    check(
        entry(Event::RoomClosed { by: Some(user()), reason: Some("end".to_owned()) }),
        r#"all closed {"by":"u1","why":"end","v":1.50,"more":{}}"#,
    );
}
