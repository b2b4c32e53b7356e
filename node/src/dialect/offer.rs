//! What may be told, and which `$names` a template may use for it: closed sets, known to the check.

use crate::dialect::deed::Deed;
use crate::domain::event::Event;
use crate::domain::notice::Notice;

/// A `$name` in a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    At,
    Attachments,
    Code,
    Data,
    Details,
    ErrorText,
    ErrorOutcome,
    ExpiresAt,
    FileId,
    FileName,
    FileSize,
    FileType,
    FileUrl,
    Limit,
    Message,
    MessageClientId,
    MessageKind,
    Members,
    MessageText,
    Messages,
    Metadata,
    Missed,
    Nth,
    Offset,
    Position,
    Reason,
    Resumed,
    RetryAfterMs,
    Room,
    RoomCreatedAt,
    RoomDescription,
    RoomName,
    RoomVisibility,
    Seq,
    Socket,
    Status,
    Total,
    User,
    UserFirstName,
    UserLastName,
    UserName,
    UserRole,
    UserSide,
    Users,
    UsersOnline,
    RoomsActive,
    RoomsTotal,
    Whom,
}

impl Word {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::At => "at",
            Self::Attachments => "message.attachments",
            Self::Code => "error.code",
            Self::Data => "data",
            Self::Details => "error.details",
            Self::ErrorText => "error.message",
            Self::ErrorOutcome => "error.outcome",
            Self::ExpiresAt => "expires_at",
            Self::FileId => "file.id",
            Self::FileName => "file.name",
            Self::FileSize => "file.size",
            Self::FileType => "file.type",
            Self::FileUrl => "file.url",
            Self::Message => "message.id",
            Self::MessageClientId => "message.client_id",
            Self::MessageKind => "message.kind",
            Self::MessageText => "message.text",
            Self::Metadata => "metadata",
            Self::Missed => "missed",
            Self::Nth => "nth",
            Self::Position => "position",
            Self::Reason => "reason",
            Self::Resumed => "resumed",
            Self::RetryAfterMs => "error.retry_after_ms",
            Self::Room => "room",
            Self::RoomCreatedAt => "room.created_at",
            Self::RoomDescription => "room.description",
            Self::RoomName => "room.name",
            Self::RoomVisibility => "room.visibility",
            Self::Seq => "seq",
            Self::Socket => "socket",
            Self::Status => "status",
            Self::User => "user.id",
            Self::UserName => "user.name",
            Self::UserRole => "user.role",
            Self::UserSide => "user.side",
            Self::Limit => "limit",
            Self::Members => "members",
            Self::UserFirstName => "user.first_name",
            Self::UserLastName => "user.last_name",
            Self::Whom => "whom",
            Self::Messages => "messages",
            Self::Offset => "offset",
            Self::Total => "total",
            Self::Users => "users",
            Self::UsersOnline => "users.online",
            Self::RoomsActive => "rooms.active",
            Self::RoomsTotal => "rooms.total",
        }
    }
}

/// The names that one kind of template may use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offer {
    /// These always have a value.
    pub(super) always: &'static [Word],
    /// These may have none, so a template writes them with `?`.
    pub(super) sometimes: &'static [Word],
}

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
    RoomDeleted,
    Notification,
    HistoryReset,
    TokenExpiring,
}

impl Occasion {
    pub(super) const ALL: [Self; 23] = [
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
        Self::RoomDeleted,
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
            Self::RoomDeleted => "room.deleted",
            Self::Notification => "notification",
            Self::HistoryReset => "history.reset",
            Self::TokenExpiring => "token.expiring",
        }
    }

    pub(super) fn of(notice: &Notice) -> Self {
        match notice {
            Notice::Connected { .. } => Self::Connected,
            Notice::Entry(entry) => match entry.event {
                Event::MessagePosted(_) => Self::MessagePosted,
                Event::RoomUpdated { .. } => Self::RoomUpdated,
                Event::RoomClosed { .. } => Self::RoomClosed,
                Event::RoomDeleted => Self::RoomDeleted,
            },
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
        }
    }

    /// The names of an event on this occasion.
    pub(super) fn offer(self) -> Offer {
        use Word::{
            At, Data, ExpiresAt, Message, MessageClientId, MessageKind, MessageText, Metadata, Nth,
            Position, Reason, Room, Seq, Socket, Status, User, UserName, UserRole, UserSide,
        };
        let (always, sometimes): (&[Word], &[Word]) = match self {
            Self::Connected => (&[User, UserName, UserRole, UserSide, Socket], &[]),
            Self::MessagePosted => (
                &[
                    Room,
                    Position,
                    Seq,
                    Nth,
                    At,
                    Message,
                    MessageText,
                    MessageKind,
                    Word::Attachments,
                    User,
                    UserName,
                    UserRole,
                    UserSide,
                    Word::UserFirstName,
                    Word::UserLastName,
                ],
                &[MessageClientId],
            ),
            Self::MessageDelivered => (&[Message], &[]),
            Self::MessageRead => (&[Message, User], &[]),
            Self::TypingStarted
            | Self::TypingStopped
            | Self::RoomInside
            | Self::RoomEntered
            | Self::RoomLeft
            | Self::UserOffline => (&[Room, User, UserName, UserRole, UserSide], &[]),
            Self::RoomPresent | Self::UserOnline => {
                (&[Room, User, UserName, UserRole, UserSide, Status], &[])
            }
            Self::UsersListed => (&[Word::Users, At], &[]),
            Self::RoomNews | Self::RoomEnded | Self::RoomRaised => (&[Room, At], &[]),
            Self::StatsChanged => (STATS_WORDS, &[]),
            Self::RoomUpdated => (&[Room, Position, Seq, Nth, At, Metadata], &[]),
            Self::RoomClosed => {
                (&[Room, Position, Seq, Nth, At], &[User, UserName, UserRole, UserSide, Reason])
            }
            Self::RoomDeleted => (&[Room, Position, Seq, Nth, At], &[]),
            Self::Notification => (&[Data], &[]),
            Self::HistoryReset => (&[Room, Position], &[]),
            Self::TokenExpiring => (&[ExpiresAt], &[]),
        };
        Offer { always, sometimes }
    }
}

impl Word {
    /// What can be said about each element of the list that the word stands for, if it is one.
    pub(super) fn elements(self) -> Option<Offer> {
        let of = |always| Offer { always, sometimes: &[] };
        let lists = [
            (Self::Messages, Occasion::MessagePosted.offer()),
            (Self::Users, of(USER_WORDS)),
            (Self::Attachments, of(FILE_WORDS)),
        ];
        lists.into_iter().find(|(list, _)| *list == self).map(|(_, elements)| elements)
    }

    /// All that the word can say, where that is a closed set: a template may choose by it.
    pub(super) fn choices(self) -> &'static [&'static str] {
        match self {
            Self::UserSide => &["client", "agent"],
            Self::UserRole => &["user", "client", "volunteer", "agent", "admin"],
            Self::Status => &["online", "away", "busy", "offline"],
            Self::RoomVisibility => &["public", "private"],
            Self::At
            | Self::Attachments
            | Self::Code
            | Self::Data
            | Self::Details
            | Self::ErrorText
            | Self::ErrorOutcome
            | Self::ExpiresAt
            | Self::FileId
            | Self::FileName
            | Self::FileSize
            | Self::FileType
            | Self::FileUrl
            | Self::Limit
            | Self::Members
            | Self::Message
            | Self::MessageClientId
            | Self::MessageKind
            | Self::MessageText
            | Self::Messages
            | Self::Metadata
            | Self::Missed
            | Self::Nth
            | Self::Offset
            | Self::Position
            | Self::Reason
            | Self::Resumed
            | Self::RetryAfterMs
            | Self::Room
            | Self::RoomCreatedAt
            | Self::RoomDescription
            | Self::RoomName
            | Self::Seq
            | Self::Socket
            | Self::Total
            | Self::User
            | Self::UserFirstName
            | Self::UserLastName
            | Self::UserName
            | Self::Users
            | Self::UsersOnline
            | Self::RoomsActive
            | Self::RoomsTotal
            | Self::Whom => &[],
        }
    }
}

impl Deed {
    /// The names of the answer yes.
    pub(super) fn offer(self) -> Offer {
        use Word::{
            At, Message, Missed, Position, Resumed, Room, RoomDescription, RoomName,
            RoomVisibility, Seq, Status,
        };
        let always: &[Word] = match self {
            Self::Join => &[
                Room,
                RoomName,
                RoomDescription,
                RoomVisibility,
                Position,
                Resumed,
                Missed,
                Word::RoomCreatedAt,
                Word::Members,
                Word::Messages,
                Word::Users,
            ],
            Self::Create => &[Room, RoomName, RoomDescription, RoomVisibility, Word::RoomCreatedAt],
            Self::Leave | Self::Close => &[Room],
            Self::History => &[Room, Word::Messages, Word::Limit, Word::Offset, Word::Total],
            Self::Users => &[Room, Word::Users],
            Self::Send => &[Message, Room, Position, Seq, At],
            Self::MarkRead | Self::StartTyping | Self::StopTyping | Self::SetTyping => &[],
            Self::SetStatus | Self::Vanish => ONE_STATUS,
            Self::Appear | Self::ListUsers => &[
                Status,
                At,
                Word::User,
                Word::UserName,
                Word::UserRole,
                Word::UserSide,
                Word::Users,
            ],
            Self::Stats => STATS_WORDS,
            Self::Renew => &[],
            Self::Disconnect => &[Word::Whom],
            Self::Authenticate => &[Word::User, Word::UserName, Word::UserRole, Word::UserSide],
        };
        Offer { always, sometimes: &[] }
    }
}

/// The names of the cluster's figures.
const STATS_WORDS: &[Word] = &[Word::RoomsTotal, Word::RoomsActive, Word::UsersOnline, Word::At];

/// The names of each of a room's users.
const USER_WORDS: &[Word] =
    &[Word::User, Word::UserName, Word::UserRole, Word::UserSide, Word::Status, Word::At];

/// The names of each of a message's files.
const FILE_WORDS: &[Word] =
    &[Word::FileId, Word::FileName, Word::FileType, Word::FileSize, Word::FileUrl];

/// The names of a status that was set.
const ONE_STATUS: &[Word] =
    &[Word::Status, Word::At, Word::User, Word::UserName, Word::UserRole, Word::UserSide];

/// The names of the answer no.
pub(super) const REFUSAL_OFFER: Offer = Offer {
    always: &[Word::Code, Word::ErrorText, Word::ErrorOutcome],
    sometimes: &[Word::Details, Word::RetryAfterMs],
};
