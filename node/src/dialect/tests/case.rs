//! Every event of the `case` protocol, in both directions.

use crate::dialect::deed::Deed;
use crate::dialect::tests::samples::{entry, id, message, position, room, user};
use crate::dialect::tests::telling::{answered, told_by};
use crate::dialect::{Dialect, Dialects, Request};
use crate::domain::claims::Claims;
use crate::domain::event::Event;
use crate::domain::id::UserId;
use crate::domain::notice::Notice;
use crate::domain::presence::Status;
use crate::domain::refusal::Refusal;
use crate::domain::role::{Participant, Role, Side};
use crate::domain::time::Timestamp;

fn case(dialects: &Dialects) -> &Dialect {
    dialects.get(dialects.by_name("case").unwrap())
}

/// The command that a packet asks for, or the refusal's text.
fn heard(packet: &str) -> String {
    match Dialects::builtin().decode("/chat", packet) {
        Ok(request) => format!("{:?}", request.command),
        Err(malformed) => malformed.refusal.to_string(),
    }
}

fn greeting(payload: Option<&str>) -> Result<Request, Refusal> {
    let dialects = Dialects::builtin();
    let greeting = dialects.greeting(dialects.by_name("case").unwrap(), payload);
    greeting.map(|it| it.expect("the protocol has one"))
}

#[test]
fn a_connect_names_the_case_and_its_client() {
    let payload = r#"{"userId":"u1","caseId":"c1","role":"volunteer","userName":" Ann ","token":"t","more":[]}"#;
    let request = greeting(Some(payload)).unwrap();
    assert_eq!(format!("{:?}", request.command), "Join { room: c1, since: None }");
    let expected = Claims {
        id: UserId::parse("u1").ok(),
        side: Some(Side::Agent),
        name: Some("Ann".to_owned()),
    };
    assert_eq!(request.claims, expected);
}

#[test]
fn a_connect_that_lacks_something_is_refused_with_its_field() {
    let check = |payload: Option<&str>, expected: &str| {
        assert_eq!(greeting(payload).unwrap_err(), Refusal::invalid(expected.to_owned()));
    };
    check(None, "argument 1 is missing");
    check(Some("[]"), "argument 1 must be an object");
    check(Some("{}"), "caseId is missing");
    check(Some(&format!("{}{}", "[".repeat(200), "]".repeat(200))), "nested too deep");
    let all = [("caseId", "c1"), ("userId", "u1"), ("role", "user"), ("userName", "Ann")];
    for (missing, _) in all {
        let others = all.iter().filter(|(name, _)| *name != missing);
        let members: Vec<String> =
            others.map(|(name, value)| format!("\"{name}\":\"{value}\"")).collect();
        check(Some(&format!("{{{}}}", members.join(","))), &format!("{missing} is missing"));
    }
    let payload = r#"{"userId":"u1","caseId":"c1","role":"boss","userName":"Ann"}"#;
    check(Some(payload), "role is no known role");
}

#[test]
fn every_event_of_a_client_is_understood() {
    let check = |packet: &str, expected: &str| assert_eq!(heard(packet), expected, "{packet}");
    check(
        r#"["auth:join",{"caseId":"c1","userId":"u1","role":"user","userName":"Ann"}]"#,
        "Join { room: c1, since: None }",
    );
    check(
        r#"["message:send",{"caseId":"c1","text":"hi","sender":"support","clientMessageId":"m-1"}]"#,
        r#"Send(Draft { room: c1, text: "hi", kind: "text", client_message_id: Some(m-1), uploads: [] })"#,
    );
    check(
        r#"["typing:start",{"caseId":"c1","userName":"Ann"}]"#,
        "Type { room: c1, active: true }",
    );
    check(r#"["typing:stop",{"caseId":"c1"}]"#, "Type { room: c1, active: false }");
    check(
        r#"["session:closed",{"caseId":"c1","reason":"so\u0007lved"}]"#,
        r#"Close { room: c1, reason: Some("solved") }"#,
    );
    for reason in ["", r#","reason":null"#, r#","reason":" ""#] {
        let packet = format!(r#"["session:closed",{{"caseId":"c1"{reason}}}]"#);
        check(&packet, "Close { room: c1, reason: None }");
    }
    let packet = format!(r#"["session:closed",{{"caseId":"c1","reason":"{}"}}]"#, "x".repeat(1001));
    check(&packet, "reason is longer than 1000 characters");
    check(r#"["message:send",{"caseId":"c1"}]"#, "text is missing");
    check(
        r#"["message:send",{"caseId":"c1","text":"x","sender":"nobody"}]"#,
        "sender is no known role",
    );
    check(r#"["connect",{"caseId":"c1"}]"#, "Unknown event");
    check(r#"["authenticate",{"token":"t"}]"#, "Authenticate { token: Token(…) }");
}

#[test]
fn every_event_to_a_client_is_in_its_words() {
    let (dialects, id) = (Dialects::builtin(), id());
    let (room, user, status) = (room(), user(), Status::Away);
    let check = |notice: &Notice, expected: &str| {
        assert_eq!(told_by(case(&dialects), notice), expected);
    };
    check(
        &entry(message("hi <b>")),
        &format!(
            r#"all message:receive {{"id":"{id}","caseId":"c1","text":"hi <b>","sender":"support","userId":"u1","userName":"Ann \"A\"","role":"volunteer","timestamp":"2024-01-15T10:30:00.123Z"}}"#
        ),
    );
    let start = Notice::TypingStarted { room: room.clone(), user: user.clone() };
    check(&start, r#"others typing:start {"caseId":"c1","userName":"Ann \"A\""}"#);
    let stop = Notice::TypingStopped { room: room.clone(), user: user.clone() };
    check(&stop, r#"others typing:stop {"caseId":"c1"}"#);
    let asks = Participant { role: Role::Client, ..user.clone() };
    let entered = Notice::Entered { room: room.clone(), user: asks };
    check(
        &entered,
        r#"all user:online {"caseId":"c1","userId":"u1","userName":"Ann \"A\"","role":"user"}"#,
    );
    let inside = Notice::Inside { room: room.clone(), user: user.clone() };
    check(
        &inside,
        r#"all user:online {"caseId":"c1","userId":"u1","userName":"Ann \"A\"","role":"volunteer"}"#,
    );
    let left = Notice::Left { room: room.clone(), user: user.clone() };
    check(&left, r#"others user:offline {"caseId":"c1","userId":"u1"}"#);
    let closed = entry(Event::RoomClosed { by: Some(user.clone()), reason: Some("end".into()) });
    check(&closed, r#"all session:closed {"caseId":"c1","reason":"end"}"#);
    let closed = entry(Event::RoomClosed { by: None, reason: None });
    check(&closed, r#"all session:closed {"caseId":"c1"}"#);
    check(&Notice::Present { room: room.clone(), user: user.clone(), status }, "nothing");
    check(&Notice::UserOnline { room: room.clone(), user, status }, "nothing");
    let expires_at = Timestamp(1_705_314_600_123);
    check(
        &Notice::TokenExpiring { expires_at },
        r#"all token:expiring {"expiresAt":"2024-01-15T10:30:00.123Z"}"#,
    );
    check(
        &Notice::HistoryReset { room, position: position() },
        r#"all history:reset {"room":"c1","position":{"epoch":1700000000000,"seq":7}}"#,
    );
}

#[test]
fn every_answer_is_in_its_words() {
    let dialects = Dialects::builtin();
    let check = |event: &str, deed: Deed, expected: &str| {
        assert_eq!(answered(case(&dialects), event, deed), expected);
    };
    let authenticated = r#" + auth:authenticated {"success":true,"message":"Authenticated"}"#;
    check("connect", Deed::Join, &format!(r#"{{"ok":true}}{authenticated}"#));
    check(
        "auth:join",
        Deed::Join,
        &format!(
            r#"{{"ok":true,"caseId":"c1","position":{{"epoch":1700000000000,"seq":7}},"resumed":true,"missed":3}}{authenticated}"#
        ),
    );
    check("session:closed", Deed::Close, r#"{"ok":true,"caseId":"c1"}"#);
    check("typing:start", Deed::StartTyping, r#"{"ok":true}"#);
    let check = |event: Option<&str>, expected: &str| {
        let frame = case(&dialects).refusal_event(event, &Refusal::AccessDenied);
        assert_eq!(format!("{} {}", frame.event, frame.payload.get()), expected);
    };
    let refused = r#"auth:error {"code":"ACCESS_DENIED","message":"Access denied"}"#;
    check(Some("connect"), refused);
    check(Some("auth:join"), refused);
    let refused = r#"error {"message":"Access denied","code":"ACCESS_DENIED"}"#;
    check(Some("message:send"), refused);
    check(None, refused);
}
