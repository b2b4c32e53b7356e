//! What clients are told without asking: the closed set that `on` may name.

use crate::domain::event::Event;
use crate::domain::notice::Notice;

/// What clients are told without asking (`on`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Occasion {
    Connected,
    MessagePosted,
    MessageDelivered,
    MessageRead,
    TypingStarted,
    TypingStopped,
    RoomPresent,
    RoomInside,
    RoomEntered,
    RoomLeft,
    UserOnline,
    UserOffline,
    UsersListed,
    RoomNews,
    RoomEnded,
    RoomRaised,
    StatsChanged,
    RoomUpdated,
    RoomClosed,
    RoomReopened,
    RoomDeleted,
    MessageEdited,
    MessageDeleted,
    Notification,
    HistoryReset,
    TokenExpiring,
}

impl Occasion {
    pub(super) const ALL: [Self; 26] = [
        Self::Connected,
        Self::MessagePosted,
        Self::MessageDelivered,
        Self::MessageRead,
        Self::TypingStarted,
        Self::TypingStopped,
        Self::RoomPresent,
        Self::RoomInside,
        Self::RoomEntered,
        Self::RoomLeft,
        Self::UserOnline,
        Self::UserOffline,
        Self::UsersListed,
        Self::RoomNews,
        Self::RoomEnded,
        Self::RoomRaised,
        Self::StatsChanged,
        Self::RoomUpdated,
        Self::RoomClosed,
        Self::RoomReopened,
        Self::RoomDeleted,
        Self::MessageEdited,
        Self::MessageDeleted,
        Self::Notification,
        Self::HistoryReset,
        Self::TokenExpiring,
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::MessagePosted => "message.posted",
            Self::MessageDelivered => "message.delivered",
            Self::MessageRead => "message.read",
            Self::TypingStarted => "typing.started",
            Self::TypingStopped => "typing.stopped",
            Self::RoomPresent => "room.present",
            Self::RoomInside => "room.inside",
            Self::RoomEntered => "room.entered",
            Self::RoomLeft => "room.left",
            Self::UserOnline => "user.online",
            Self::UserOffline => "user.offline",
            Self::UsersListed => "users.listed",
            Self::RoomNews => "room.news",
            Self::RoomEnded => "room.ended",
            Self::RoomRaised => "room.raised",
            Self::StatsChanged => "stats.changed",
            Self::RoomUpdated => "room.updated",
            Self::RoomClosed => "room.closed",
            Self::RoomReopened => "room.reopened",
            Self::RoomDeleted => "room.deleted",
            Self::MessageEdited => "message.edited",
            Self::MessageDeleted => "message.deleted",
            Self::Notification => "notification",
            Self::HistoryReset => "history.reset",
            Self::TokenExpiring => "token.expiring",
        }
    }

    /// `None`: no dialect has words for it.
    pub(super) fn of(notice: &Notice) -> Option<Self> {
        Some(match notice {
            Notice::Connected { .. } => Self::Connected,
            Notice::Entry(entry) => match entry.event {
                Event::MessagePosted(_) => Self::MessagePosted,
                Event::RoomUpdated { .. } => Self::RoomUpdated,
                Event::RoomClosed { .. } => Self::RoomClosed,
                Event::RoomReopened => Self::RoomReopened,
                Event::RoomDeleted => Self::RoomDeleted,
                Event::MessageEdited { .. } => Self::MessageEdited,
                Event::MessageDeleted { .. } => Self::MessageDeleted,
                Event::AccessChanged { .. } | Event::Erased => return None,
            },
            Notice::Emitted { .. } => return None,
            Notice::TypingStarted { .. } => Self::TypingStarted,
            Notice::TypingStopped { .. } => Self::TypingStopped,
            Notice::Present { .. } => Self::RoomPresent,
            Notice::Inside { .. } => Self::RoomInside,
            Notice::Entered { .. } => Self::RoomEntered,
            Notice::Left { .. } => Self::RoomLeft,
            Notice::UserOnline { .. } => Self::UserOnline,
            Notice::UserOffline { .. } => Self::UserOffline,
            Notice::Listed { .. } => Self::UsersListed,
            Notice::News { .. } => Self::RoomNews,
            Notice::Ended { .. } => Self::RoomEnded,
            Notice::Raised { .. } => Self::RoomRaised,
            Notice::Stats { .. } => Self::StatsChanged,
            Notice::Delivered { .. } => Self::MessageDelivered,
            Notice::Read { .. } => Self::MessageRead,
            Notice::Notification { .. } => Self::Notification,
            Notice::HistoryReset { .. } => Self::HistoryReset,
            Notice::TokenExpiring { .. } => Self::TokenExpiring,
        })
    }
}
