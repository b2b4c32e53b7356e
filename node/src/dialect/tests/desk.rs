//! Every event of the `desk` protocol, in both directions.

use std::sync::Arc;
use std::time::Duration;

use crate::dialect::deed::Deed;
use crate::dialect::tests::samples::{AT, STATS, id, message, position, user};
use crate::dialect::tests::telling::{answered, told_by};
use crate::dialect::{Dialect, Dialects, Terms};
use crate::domain::event::{Entry, Event};
use crate::domain::id::{RoomId, UserId};
use crate::domain::notice::Notice;
use crate::domain::presence::{Shown, Status};
use crate::domain::quota::Limit;
use crate::domain::refusal::Refusal;
use crate::domain::role::{Participant, Role, Side};
use crate::domain::view::Wanted;

fn desk(dialects: &Dialects) -> &Dialect {
    dialects.get(dialects.by_name("desk").unwrap())
}

fn room() -> RoomId {
    RoomId::parse("456").unwrap()
}

fn agent() -> Participant {
    let id = UserId::parse("123").unwrap();
    Participant { id, name: "Jo Ann <b> D'oe".to_owned(), role: Role::Agent, full_name: None }
}

fn entry(event: Event) -> Notice {
    let (room, position) = (room(), position());
    Notice::Entry(Arc::new(Entry { room, position, nth: 5, at: AT, origin: None, event }))
}

#[test]
fn every_event_of_a_client_is_understood_also_beside_the_others() {
    let dialects = Dialects::builtin();
    let check = |packet: &str, expected: &str| {
        for namespace in ["/", "/desk"] {
            let heard = match dialects.decode(namespace, packet) {
                Ok(request) => format!("{:?}", request.command),
                Err(malformed) => malformed.refusal.to_string(),
            };
            assert_eq!(heard, expected, "{namespace} {packet}");
        }
    };
    check(r#"["userOnline",{"userId":123,"userType":"agent"}]"#, "Appear");
    check(r#"["userHeartbeat",{"userId":123,"timestamp":1700000000000}]"#, "Renew");
    check(r#"["userOffline",{"userId":123}]"#, "Vanish");
    check(r#"["getOnlineUsers"]"#, "ListUsers");
    check(
        r#"["joinChatGroup",{"groupId":456,"userType":"agent","userId":123}]"#,
        "Join { room: 456, since: None }",
    );
    check(r#"["leaveRoom",{"chatGroupId":"456"}]"#, "Leave { room: 456 }");
    check(
        r#"["sendMessage",{"message":"<b>","chatGroupId":456,"clientId":789}]"#,
        r#"Send(Draft { room: 456, text: "<b>", kind: "text", client_message_id: None, uploads: [] })"#,
    );
    check(
        r#"["typing",{"chatGroupId":456,"userType":"agent","userId":123}]"#,
        "Type { room: 456, active: true }",
    );
    check(
        r#"["stopTyping",{"chatGroupId":456,"userType":"agent","userId":123}]"#,
        "Type { room: 456, active: false }",
    );
    check(r#"["disconnectUser",{"userId":7,"reason":"rude"}]"#, "Disconnect { user: 7 }");
    check(r#"["getRoomStats"]"#, "Stats");
    check(r#"["userOnline",{"userId":1.5}]"#, "userId must be a text");
    check(r#"["sendMessage",{"chatGroupId":456}]"#, "message is missing");
}

#[test]
fn a_join_has_its_terms_and_its_claims() {
    let dialects = Dialects::builtin();
    let packet = r#"["joinChatGroup",{"groupId":456,"userType":"client","userId":"123"}]"#;
    let request = dialects.decode("/desk", packet).unwrap();
    let terms = Terms {
        needs_join: true,
        needs_open: true,
        leaves_others: true,
        wanted: Wanted::default(),
    };
    assert_eq!(request.terms, terms);
    assert_eq!((request.claims.id, request.claims.side), (Some(agent().id), Some(Side::Client)));
    let minute = |times| Some(Limit { times, per: Duration::from_secs(60) });
    let rates = desk(&dialects).rates();
    assert_eq!((rates.messages, rates.statuses), (minute(30), minute(10)));
    assert!(desk(&dialects).has_standing_rooms());
}

#[test]
fn every_event_to_a_client_is_in_its_words_and_safe_in_a_page() {
    let dialects = Dialects::builtin();
    let check = |notice: &Notice, expected: &str| {
        assert_eq!(told_by(desk(&dialects), notice), expected);
    };
    let Event::MessagePosted(message) = message("<i>\"it's\" & so</i>") else { unreachable!() };
    let message = crate::domain::message::Message { sender: agent(), ..message };
    check(
        &entry(Event::MessagePosted(message)),
        r#"all receiveMessage {"chat_id":7,"chat_message":"&lt;i&gt;&quot;it&#39;s&quot; &amp; so&lt;/i&gt;","chat_created_at":"2024-01-15T10:30:00.123Z","sender_type":"agent","chatGroupId":456,"sender":{"userId":123,"profile":{"prof_firstname":"Jo Ann &lt;b&gt;","prof_lastname":"D&#39;oe"}}}"#,
    );
    check(
        &entry(Event::RoomClosed { by: None, reason: None }),
        r#"all updateChatGroups {"action":"closed","chatGroupId":456,"timestamp":"2024-01-15T10:30:00.123Z"}"#,
    );
    let listed = Notice::Listed {
        users: vec![Shown { user: agent(), status: Status::Busy, at: AT }],
        at: AT,
    };
    check(
        &listed,
        r#"all onlineUsersUpdate {"onlineUsers":[{"userId":123,"userType":"agent","lastSeen":"2024-01-15T10:30:00.123Z"}]}"#,
    );
    let figures = Notice::Stats { stats: STATS, at: AT };
    let at = "2024-01-15T10:30:00.123Z";
    check(
        &figures,
        &format!(
            r#"all roomStatsUpdate {{"totalRooms":15,"activeRooms":8,"totalUsers":25,"timestamp":"{at}"}}"#
        ),
    );
    let (room, user) = (room(), agent());
    let of_room = [
        (
            Notice::News { room: room.clone(), at: AT },
            r#"all updateChatGroups {"action":"new_message","chatGroupId":456,"timestamp":"AT"}"#,
        ),
        (
            Notice::Ended { room: room.clone(), at: AT },
            r#"all updateChatGroups {"action":"closed","chatGroupId":456,"timestamp":"AT"}"#,
        ),
        (
            Notice::Raised { room: room.clone(), at: AT },
            r#"all customerListUpdate {"action":"sort","chatGroupId":456,"newPosition":1,"timestamp":"AT"}"#,
        ),
    ];
    for (notice, expected) in of_room {
        check(&notice, &expected.replace("AT", at));
    }
    let joined = Notice::Entered { room: room.clone(), user: user.clone() };
    let whom = r#"{"userType":"agent","userId":123,"chatGroupId":456}"#;
    check(&joined, &format!("others userJoined {whom}"));
    let left = Notice::Left { room: room.clone(), user: user.clone() };
    check(&left, &format!("others userLeft {whom}"));
    let start = Notice::TypingStarted { room: room.clone(), user: user.clone() };
    check(
        &start,
        r#"others typing {"chatGroupId":456,"userType":"agent","userId":123,"isTyping":true}"#,
    );
    let stop = Notice::TypingStopped { room, user };
    check(
        &stop,
        r#"others stopTyping {"chatGroupId":456,"userType":"agent","userId":123,"isTyping":false}"#,
    );
}

#[test]
fn every_answer_is_in_its_words() {
    let (dialects, id) = (Dialects::builtin(), id());
    let check = |event: &str, deed: Deed, expected: &str| {
        assert_eq!(answered(desk(&dialects), event, deed), expected);
    };
    let at = "2024-01-15T10:30:00.123Z";
    let list = format!(r#"[{{"userId":"{}","userType":"agent","lastSeen":"{at}"}}]"#, user().id);
    check(
        "userOnline",
        Deed::Appear,
        &format!(
            r#"{{"ok":true}} + userStatusUpdated {{"userId":"u1","status":"online","timestamp":"{at}"}} + onlineUsersUpdate {{"onlineUsers":{list}}}"#
        ),
    );
    check("getOnlineUsers", Deed::ListUsers, &format!(r#"{{"ok":true}} + onlineUsersList {list}"#));
    check("userHeartbeat", Deed::Renew, r#"{"ok":true}"#);
    check(
        "userOffline",
        Deed::Vanish,
        &format!(
            r#"{{"ok":true}} + userStatusUpdated {{"userId":"u1","status":"offline","timestamp":"{at}"}}"#
        ),
    );
    check(
        "joinChatGroup",
        Deed::Join,
        r#"{"ok":true,"chatGroupId":"c1","position":{"epoch":1700000000000,"seq":7},"resumed":true,"missed":3} + joinedRoom {"chatGroupId":"c1","roomInfo":{"status":"active","memberCount":2}}"#,
    );
    check("leaveRoom", Deed::Leave, r#"{"ok":true,"chatGroupId":"c1"}"#);
    check(
        "sendMessage",
        Deed::Send,
        &format!(
            r#"{{"ok":true,"chat_id":7,"chatGroupId":"c1","chat_created_at":"{at}","id":"{id}"}}"#
        ),
    );
    check("disconnectUser", Deed::Disconnect, r#"{"ok":true,"userId":"u1"}"#);
    let frame = desk(&dialects).refusal_event(Some("joinChatGroup"), &Refusal::RoomClosed);
    assert_eq!(&*frame.event, "error");
    let closed = r#"{"message":"The room is closed","code":"ROOM_INACTIVE"}"#;
    assert_eq!(frame.payload.get(), closed);
}
