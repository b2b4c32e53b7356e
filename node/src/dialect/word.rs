//! The `$names` that templates may use, and what each can say: closed sets, known to the check.

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
    MessageSeq,
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
            Self::MessageSeq => "message.seq",
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
            | Self::MessageSeq
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
