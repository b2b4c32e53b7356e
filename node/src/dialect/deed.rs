//! What a client event asks for: the closed set of deeds, and the `$names` of each.

use crate::dialect::request::Given;
use crate::domain::command::{Command, Draft};
use crate::domain::room::Visibility;

/// Messages in a page of history where the client does not say.
const PAGE_DEFAULT: u32 = 50;

/// What a client event does (`does`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Join,
    Create,
    Leave,
    Send,
    Close,
    History,
    Users,
    MarkRead,
    StartTyping,
    StopTyping,
    SetTyping,
    SetStatus,
    Appear,
    Vanish,
    Renew,
    ListUsers,
    Stats,
    Disconnect,
    Authenticate,
}

impl Deed {
    pub(super) const ALL: [Self; 19] = [
        Self::Join,
        Self::Create,
        Self::Leave,
        Self::Send,
        Self::Close,
        Self::History,
        Self::Users,
        Self::MarkRead,
        Self::StartTyping,
        Self::StopTyping,
        Self::SetTyping,
        Self::SetStatus,
        Self::Appear,
        Self::Vanish,
        Self::Renew,
        Self::ListUsers,
        Self::Stats,
        Self::Disconnect,
        Self::Authenticate,
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Join => "room.join",
            Self::Create => "room.create",
            Self::Leave => "room.leave",
            Self::Send => "message.send",
            Self::Close => "room.close",
            Self::History => "room.history",
            Self::Users => "room.users",
            Self::MarkRead => "message.read",
            Self::StartTyping => "typing.start",
            Self::StopTyping => "typing.stop",
            Self::SetTyping => "typing.set",
            Self::SetStatus => "status.set",
            Self::Appear => "users.enter",
            Self::Vanish => "users.leave",
            Self::Renew => "users.renew",
            Self::ListUsers => "users.list",
            Self::Stats => "stats.watch",
            Self::Disconnect => "user.disconnect",
            Self::Authenticate => "authenticate",
        }
    }

    /// The names that a client must say.
    pub(super) fn required(self) -> &'static [Asked] {
        match self {
            Self::Join
            | Self::Leave
            | Self::Close
            | Self::History
            | Self::Users
            | Self::StartTyping
            | Self::StopTyping => &[Asked::Room],
            Self::Create => &[Asked::RoomName],
            Self::Send => &[Asked::Room, Asked::MessageText],
            Self::MarkRead => &[Asked::Message],
            Self::SetTyping => &[Asked::Room, Asked::Active],
            Self::SetStatus => &[Asked::Status],
            Self::Appear | Self::Vanish | Self::Renew | Self::ListUsers | Self::Stats => &[],
            Self::Disconnect => &[Asked::Whom],
            Self::Authenticate => &[Asked::Token],
        }
    }

    /// The names that a client may say.
    pub(super) fn optional(self) -> &'static [Asked] {
        match self {
            Self::Join => &[Asked::Since],
            Self::Create => &[Asked::RoomDescription, Asked::RoomVisibility],
            Self::Send => &[Asked::MessageKind, Asked::MessageClientId, Asked::Attachments],
            Self::Close => &[Asked::Reason],
            Self::History => &[Asked::Limit, Asked::Offset, Asked::Before],
            Self::Leave
            | Self::Users
            | Self::MarkRead
            | Self::StartTyping
            | Self::StopTyping
            | Self::SetTyping
            | Self::SetStatus
            | Self::Appear
            | Self::Vanish
            | Self::Renew
            | Self::ListUsers
            | Self::Stats
            | Self::Disconnect
            | Self::Authenticate => &[],
        }
    }

    /// The command with these values; `None`: a required one is missing.
    pub(super) fn command(self, given: Given) -> Option<Command> {
        let Given { room, since, message, text, kind, reason, active, status, token, .. } = given;
        Some(match self {
            Self::Join => Command::Join { room: room?, since },
            Self::Create => Command::CreateRoom {
                name: given.room_name?,
                description: given.room_description.unwrap_or_default(),
                visibility: given.room_visibility.unwrap_or(Visibility::Public),
            },
            Self::Leave => Command::Leave { room: room? },
            Self::Send => Command::Send(Draft {
                room: room?,
                text: text?,
                kind: kind.unwrap_or_else(|| "text".to_owned()),
                client_message_id: given.client_message_id,
                uploads: given.uploads,
            }),
            Self::Close => Command::Close { room: room?, reason },
            Self::History => Command::History {
                room: room?,
                limit: given.limit.unwrap_or(PAGE_DEFAULT),
                offset: given.offset.unwrap_or_default(),
                before: given.before,
            },
            Self::Users => Command::Users { room: room? },
            Self::MarkRead => Command::MarkRead { message: message? },
            Self::StartTyping => Command::Type { room: room?, active: true },
            Self::StopTyping => Command::Type { room: room?, active: false },
            Self::SetTyping => Command::Type { room: room?, active: active? },
            Self::SetStatus => Command::SetStatus { status: status? },
            Self::Appear => Command::Appear,
            Self::Vanish => Command::Vanish,
            Self::Renew => Command::Renew,
            Self::ListUsers => Command::ListUsers,
            Self::Stats => Command::Stats,
            Self::Disconnect => Command::Disconnect { user: given.whom? },
            Self::Authenticate => Command::Authenticate { token: token? },
        })
    }
}

/// A `$name` in a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Room,
    RoomName,
    RoomDescription,
    RoomVisibility,
    Since,
    Message,
    MessageText,
    MessageKind,
    MessageClientId,
    Attachments,
    Limit,
    Offset,
    Before,
    Reason,
    Active,
    Status,
    Token,
    Whom,
    User,
    UserName,
    UserRole,
}

/// What any event may say about its sender; compared with the token.
pub(super) const CLAIMED: [Asked; 3] = [Asked::User, Asked::UserName, Asked::UserRole];

impl Asked {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Room => "room",
            Self::RoomName => "room.name",
            Self::RoomDescription => "room.description",
            Self::RoomVisibility => "room.visibility",
            Self::Since => "since",
            Self::Message => "message.id",
            Self::MessageText => "message.text",
            Self::MessageKind => "message.kind",
            Self::MessageClientId => "message.client_id",
            Self::Active => "active",
            Self::Status => "status",
            Self::Token => "token",
            Self::Attachments => "message.attachments",
            Self::Limit => "limit",
            Self::Offset => "offset",
            Self::Before => "before",
            Self::Reason => "reason",
            Self::Whom => "whom",
            Self::User => "user.id",
            Self::UserName => "user.name",
            Self::UserRole => "user.role",
        }
    }
}
