//! From packets to commands, event by event.

use std::time::Duration;

use crate::dialect::Dialects;
use crate::dialect::tests::compiled;
use crate::domain::id::{MessageId, RoomId};
use crate::domain::position::Position;
use crate::domain::quota::Limit;

/// The command that a packet asks for, or the refusal's text.
fn heard(dialects: &Dialects, packet: &str) -> String {
    match dialects.decode("/", packet) {
        Ok(request) => format!("{:?}", request.command),
        Err(malformed) => malformed.refusal.to_string(),
    }
}

fn check(packet: &str, expected: &str) {
    assert_eq!(heard(&Dialects::builtin(), packet), expected, "{packet}");
}

fn message_id() -> MessageId {
    MessageId::new(&RoomId::parse("c1").unwrap(), Position::new(1_700_000_000_000, 7))
}

#[test]
fn a_join_takes_a_bare_id_or_an_object() {
    check(r#"["conversation:join","c1"]"#, "Join { room: c1, since: None }");
    check(r#"["conversation:join",{"conversationId":"c1"}]"#, "Join { room: c1, since: None }");
    check(r#"["conversation:join","c1",{"more":1},2]"#, "Join { room: c1, since: None }");
    check(
        " [ \"conversation:join\" ,\n { \"conversation\\u0049d\" : \"c1\" , \"since\" : null } ] ",
        "Join { room: c1, since: None }",
    );
}

#[test]
fn a_join_goes_on_after_a_message_or_a_position() {
    let id = message_id();
    check(
        &format!(r#"["conversation:join",{{"conversationId":"c1","since":"{id}"}}]"#),
        &format!("Join {{ room: c1, since: Some(Message({id})) }}"),
    );
    check(
        r#"["conversation:join",{"conversationId":"c1","since":{"epoch":5,"seq":7,"x":[]}}]"#,
        "Join { room: c1, since: Some(Position(Position { epoch: Epoch(5), seq: Seq(7) })) }",
    );
    check(
        r#"["conversation:join",{"since":null,"conversationId":"c1"}]"#,
        "Join { room: c1, since: None }",
    );
}

#[test]
fn a_bad_since_is_refused() {
    let since = [
        r#""nope""#,
        r#""""#,
        "5",
        "[]",
        "true",
        "{}",
        r#"{"epoch":1}"#,
        r#"{"epoch":1,"seq":-1}"#,
        r#"{"epoch":1,"seq":1.5}"#,
        r#"{"epoch":1,"seq":"1"}"#,
        r#"{"epoch":1,"seq":9007199254740992}"#,
        r#""018f1a2b-0000-7000-8000-000000000000""#,
    ];
    for since in since {
        check(
            &format!(r#"["conversation:join",{{"conversationId":"c1","since":{since}}}]"#),
            "since must be the id of a message or {epoch, seq}",
        );
    }
}

#[test]
fn a_join_without_a_usable_id_names_the_field() {
    check(r#"["conversation:join"]"#, "argument 1 is missing");
    check(r#"["conversation:join",null]"#, "argument 1 is missing");
    check(r#"["conversation:join",5]"#, "argument 1 must be a text");
    check(r#"["conversation:join",["c1"]]"#, "argument 1 must be a text");
    check(r#"["conversation:join",""]"#, "argument 1 is empty");
    check(r#"["conversation:join",{}]"#, "conversationId is missing");
    check(r#"["conversation:join",{"conversationId":5}]"#, "conversationId must be a text");
    check(
        r#"["conversation:join","a}{b"]"#,
        "argument 1 may hold only letters, digits and - _ . : @ | ~ + = / !",
    );
    check(
        &format!(r#"["conversation:join","{}"]"#, "x".repeat(129)),
        "argument 1 is longer than 128 bytes",
    );
}

#[test]
fn leaving_and_typing_name_the_room() {
    check(r#"["conversation:leave","c1"]"#, "Leave { room: c1 }");
    check(r#"["conversation:leave",{"conversationId":"c1"}]"#, "Leave { room: c1 }");
    check(
        r#"["typing:start",{"conversationId":"c1","userId":"me"}]"#,
        "Type { room: c1, active: true }",
    );
    check(r#"["typing:stop",{"conversationId":"c1"}]"#, "Type { room: c1, active: false }");
    check(r#"["typing:start","c1"]"#, "argument 1 must be an object");
    check(r#"["typing:stop",[]]"#, "argument 1 must be an object");
}

#[test]
fn a_message_has_a_text_and_perhaps_a_kind_and_a_name() {
    check(
        r#"["message:send",{"conversationId":"c1","content":"hi \u00e9\ud83d\ude00","x":{"y":[1]}}]"#,
        r#"Send(Draft { room: c1, text: "hi é😀", kind: "text", client_message_id: None, uploads: [] })"#,
    );
    check(
        r#"["message:send",{"conversationId":"c1","content":"a","type":"image/png","clientMessageId":"m-1"}]"#,
        r#"Send(Draft { room: c1, text: "a", kind: "image/png", client_message_id: Some(m-1), uploads: [] })"#,
    );
}

#[test]
fn control_characters_leave_a_text_but_its_lines_and_tabs_stay() {
    check(
        r#"["message:send",{"conversationId":"c1","content":"a\u0007\r\n\tb\u009b\u007f"}]"#,
        r#"Send(Draft { room: c1, text: "a\n\tb", kind: "text", client_message_id: None, uploads: [] })"#,
    );
}

#[test]
fn a_message_that_cannot_be_is_refused_with_its_field() {
    let check = |members: &str, expected: &str| {
        check(&format!(r#"["message:send",{{"conversationId":"c1",{members}}}]"#), expected);
    };
    check(r#""x":1"#, "content is missing");
    check(r#""content":null"#, "content is missing");
    check(r#""content":"""#, "content is empty");
    check(r#""content":"\u0001""#, "content is empty");
    check(r#""content":"a\u0000""#, "content holds a NUL character");
    check(r#""content":"\ud800""#, "content holds half a surrogate");
    check(r#""content":["a"]"#, "content must be a text");
    check(r#""content":1"#, "content must be a text");
    check(r#""content":"a","type":"""#, "type is empty");
    check(r#""content":"a","type":5"#, "type must be a text");
    check(&format!(r#""content":"a","type":"{}""#, "x".repeat(33)), "type is longer than 32 bytes");
    check(r#""content":"a","type":"a b""#, "type may hold only letters, digits and - _ . : / +");
    check(r#""content":"a","clientMessageId":"""#, "clientMessageId is empty");
    check(r#""content":"a","clientMessageId":{}"#, "clientMessageId must be a text");
    check(
        &format!(r#""content":"a","clientMessageId":"{}""#, "x".repeat(129)),
        "clientMessageId is longer than 128 bytes",
    );
}

#[test]
fn a_conversations_message_may_have_a_million_bytes() {
    let dialects = Dialects::builtin();
    let packet = |bytes: usize| {
        let content = "x".repeat(bytes);
        format!(r#"["message:send",{{"conversationId":"c1","content":"{content}"}}]"#)
    };
    assert!(dialects.decode("/", &packet(1_000_000)).is_ok());
    assert_eq!(heard(&dialects, &packet(1_000_001)), "content is longer than 1000000 bytes");
}

#[test]
fn a_receipt_names_a_message() {
    let id = message_id();
    check(
        &format!(r#"["message:read",{{"messageId":"{id}"}}]"#),
        &format!("MarkRead {{ message: {id} }}"),
    );
    check(r#"["message:read",{"messageId":"x"}]"#, "messageId must be the id of a message");
}

#[test]
fn a_status_is_one_of_four() {
    for (text, status) in
        [("online", "Online"), ("away", "Away"), ("busy", "Busy"), ("offline", "Offline")]
    {
        check(
            &format!(r#"["user:status","{text}"]"#),
            &format!("SetStatus {{ status: {status} }}"),
        );
    }
    check(r#"["user:status","gone"]"#, "argument 1 must be online, away, busy or offline");
}

#[test]
fn a_token_is_taken_and_never_shown() {
    check(r#"["authenticate",{"token":"secret"}]"#, "Authenticate { token: Token(…) }");
    check(r#"["authenticate",{"token":5}]"#, "token must be a text");
    check(r#"["authenticate",{}]"#, "token is missing");
}

#[test]
fn what_no_dialect_knows_is_said_so() {
    check(r#"["dance"]"#, "Unknown event");
    check(r#"["message:new",{}]"#, "Unknown event");
    check("[5]", "the event has no name");
    check("[]", "the event has no name");
    check(r#"["\ud800"]"#, "the event has no name");
    for packet in ["", "{}", "[", "null", "[NaN]", r#"["typing:start",NaN]"#, r#"["a"]]"#, "\"a\""]
    {
        check(packet, "no JSON array");
    }
    assert!(Dialects::builtin().decode("/elsewhere", r#"["typing:start"]"#).is_err());
}

#[test]
fn nesting_ends_at_128() {
    let packet = |depth: usize| {
        let (open, close) = ("[".repeat(depth - 2), "]".repeat(depth - 2));
        format!(r#"["conversation:leave",{{"conversationId":"c1","x":{open}{close}}}]"#)
    };
    check(&packet(128), "Leave { room: c1 }");
    check(&packet(129), "nested too deep");
    check(&"[".repeat(10_000_000), "nested too deep");
}

#[test]
fn a_refused_packet_says_whose_event_it_was() {
    let dialects = Dialects::builtin();
    let malformed = dialects.decode("/conversation", r#"["typing:start",{}]"#).unwrap_err();
    assert_eq!(malformed.dialect, dialects.by_name("conversation"));
    assert_eq!(malformed.event.as_deref(), Some("typing:start"));
    let malformed = dialects.decode("/", r#"["dance",{}]"#).unwrap_err();
    assert_eq!((malformed.dialect, malformed.event), (None, None));
}

#[test]
fn the_last_of_two_members_with_one_key_counts() {
    check(
        r#"["typing:stop",{"conversationId":5,"conversationId":"c2"}]"#,
        "Type { room: c2, active: false }",
    );
}

#[test]
fn a_conversation_has_ten_events_a_second() {
    let dialects = Dialects::builtin();
    let id = dialects.by_name("conversation").unwrap();
    let rates = dialects.get(id).rates();
    assert_eq!(rates.events, Some(Limit { times: 10, per: Duration::from_secs(1) }));
    assert_eq!((rates.messages, rates.statuses), (None, None));
}

#[test]
fn a_dialect_may_take_numbers_as_ids_and_give_values_itself() {
    let dialects = compiled(
        r#"
        namespaces = "/"
        ids = "numbers"
        text_max = { characters = 3 }
        refused = { event = "error", payload = '"$error.code"' }
        client = [
            { event = "enter", args = '[{ "at": { "id": "$room" } }]', does = "room.join" },
            { event = "say", args = '["$room", "$message.text", "$message.client_id?"]', does = "message.send" },
            { event = "type", args = '[{ "room": "$room", "isTyping": "$active" }]', does = "typing.set" },
            { event = "hello", args = '[]', does = "status.set", with = { status = "online" } },
        ]"#,
    );
    for (packet, expected) in [
        (r#"["enter",{"at":{"id":123}}]"#, "Join { room: 123, since: None }"),
        (r#"["enter",{"at":{"id":"123"}}]"#, "Join { room: 123, since: None }"),
        (r#"["enter",{"at":{"id":1.5}}]"#, "at.id must be a text"),
        (r#"["enter",{"at":{"id":-1}}]"#, "at.id must be a text"),
        (r#"["enter",{"at":{}}]"#, "at.id is missing"),
        (r#"["enter",{"at":3}]"#, "at must be an object"),
        (
            r#"["say",5,"äöü"]"#,
            r#"Send(Draft { room: 5, text: "äöü", kind: "text", client_message_id: None, uploads: [] })"#,
        ),
        (r#"["say",5,"abcd"]"#, "argument 2 is longer than 3 characters"),
        (r#"["type",{"room":1,"isTyping":false}]"#, "Type { room: 1, active: false }"),
        (r#"["type",{"room":1,"isTyping":true}]"#, "Type { room: 1, active: true }"),
        (r#"["type",{"room":1,"isTyping":"true"}]"#, "isTyping must be true or false"),
        (r#"["hello"]"#, "SetStatus { status: Online }"),
        (r#"["hello",{"userId":1}]"#, "SetStatus { status: Online }"),
    ] {
        assert_eq!(heard(&dialects, packet), expected, "{packet}");
    }
}
