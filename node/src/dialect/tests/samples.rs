//! A notice of every kind and a reply to every deed.

use std::sync::Arc;

use crate::dialect::deed::Deed;
use crate::domain::event::{Entry, Event, SharedEntry};
use crate::domain::id::{ClientMessageId, MessageId, RoomId, UserId};
use crate::domain::message::Message;
use crate::domain::notice::Notice;
use crate::domain::position::Position;
use crate::domain::presence::{Shown, Status};
use crate::domain::reply::Reply;
use crate::domain::role::{Participant, Role};
use crate::domain::room::RoomCard;
use crate::domain::stats::Stats;
use crate::domain::time::Timestamp;
use crate::domain::view::View;

pub(super) const AT: Timestamp = Timestamp(1_705_314_600_123);

pub(super) fn room() -> RoomId {
    RoomId::parse("c1").unwrap()
}

pub(super) fn user() -> Participant {
    let id = UserId::parse("u1").unwrap();
    Participant { id, name: "Ann \"A\"".to_owned(), role: Role::Agent, full_name: None }
}

pub(super) fn position() -> Position {
    Position::new(1_700_000_000_000, 7)
}

pub(super) fn id() -> MessageId {
    MessageId::new(&room(), position())
}

pub(super) fn entry(event: Event) -> Notice {
    let (room, position) = (room(), position());
    Notice::Entry(Arc::new(Entry { room, position, nth: 5, at: AT, origin: None, event }))
}

pub(super) fn message(text: &str) -> Event {
    let client_message_id = Some(ClientMessageId::parse("m-1").unwrap());
    let (text, kind) = (text.to_owned(), "text".to_owned());
    let attachments = Vec::new();
    Event::MessagePosted(Message { sender: user(), text, kind, client_message_id, attachments })
}

/// A notice of every kind.
pub(super) fn notices() -> Vec<Notice> {
    let (room, user, status) = (room(), user(), Status::Away);
    vec![
        Notice::Connected { user: user.clone(), socket: "s1".to_owned() },
        entry(message("a")),
        entry(Event::RoomUpdated { metadata: "{}".to_owned() }),
        entry(Event::RoomClosed { by: Some(user.clone()), reason: Some("end".to_owned()) }),
        entry(Event::RoomReopened),
        entry(Event::RoomDeleted),
        entry(Event::MessageEdited { message: id(), text: "b".to_owned() }),
        entry(Event::MessageDeleted { message: id() }),
        Notice::TypingStarted { room: room.clone(), user: user.clone() },
        Notice::TypingStopped { room: room.clone(), user: user.clone() },
        Notice::Present { room: room.clone(), user: user.clone(), status },
        Notice::Inside { room: room.clone(), user: user.clone() },
        Notice::Entered { room: room.clone(), user: user.clone() },
        Notice::Left { room: room.clone(), user: user.clone() },
        Notice::UserOnline { room: room.clone(), user: user.clone(), status },
        Notice::UserOffline { room: room.clone(), user: user.clone() },
        Notice::Listed { users: users(), at: AT },
        Notice::News { room: room.clone(), at: AT },
        Notice::Ended { room: room.clone(), at: AT },
        Notice::Raised { room: room.clone(), at: AT },
        Notice::Stats { stats: STATS, at: AT },
        Notice::Delivered { message: id() },
        Notice::Read { message: id(), reader: user.id },
        Notice::Notification { data: "1".to_owned() },
        Notice::HistoryReset { room, position: position() },
        Notice::TokenExpiring { expires_at: AT },
    ]
}

pub(super) const STATS: Stats = Stats { rooms: 15, active_rooms: 8, users: 25 };

pub(super) fn messages() -> Vec<SharedEntry> {
    let Notice::Entry(entry) = entry(message("a <b>")) else { unreachable!() };
    vec![Arc::clone(&entry), entry]
}

pub(super) fn users() -> Vec<Shown> {
    vec![Shown { user: user(), status: Status::Away, at: AT }]
}

/// A reply to every deed.
pub(super) fn reply_to(deed: Deed) -> Reply {
    match deed {
        Deed::Create => Reply::Created { room: RoomCard::plain(&room()), at: AT },
        Deed::Join => Reply::Joined {
            room: RoomCard::plain(&room()),
            position: position(),
            resumed: true,
            missed: 3,
            members: 2,
            view: View { messages: messages(), users: users(), created_at: Some(AT) },
        },
        Deed::Leave => Reply::Left { room: room() },
        Deed::Send => Reply::Sent {
            message: id(),
            room: room(),
            position: position(),
            at: AT,
            repeated: None,
        },
        Deed::Close => Reply::Closed { room: room() },
        Deed::History => {
            Reply::History { room: room(), messages: messages(), limit: 50, offset: 2, total: 9 }
        }
        Deed::Users => Reply::Users { room: room(), users: users() },
        Deed::MarkRead => Reply::Marked,
        Deed::StartTyping | Deed::StopTyping | Deed::SetTyping => Reply::Typed,
        Deed::SetStatus => Reply::StatusSet { status: Status::Busy, user: user(), at: AT },
        Deed::Vanish => Reply::StatusSet { status: Status::Offline, user: user(), at: AT },
        Deed::Appear | Deed::ListUsers => Reply::Online { user: user(), users: users(), at: AT },
        Deed::Stats => Reply::Stats { stats: STATS, at: AT },
        Deed::Renew => Reply::Renewed,
        Deed::Disconnect => Reply::Disconnected { user: user().id },
        Deed::Authenticate => Reply::Authenticated { user: user() },
    }
}
