//! Which `$names` a template may use: on each occasion, and in the answer to each deed.

use crate::dialect::deed::Deed;
use crate::dialect::occasion::Occasion;
use crate::dialect::word::Word;

/// The names that one kind of template may use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offer {
    /// These always have a value.
    pub(super) always: &'static [Word],
    /// These may have none, so a template writes them with `?`.
    pub(super) sometimes: &'static [Word],
}

impl Occasion {
    /// The names of an event on this occasion.
    pub(super) fn offer(self) -> Offer {
        use Word::{
            At, Data, ExpiresAt, Message, MessageClientId, MessageKind, MessageSeq, MessageText,
            Metadata, Nth, Position, Reason, Room, Seq, Socket, Status, User, UserName, UserRole,
            UserSide,
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
            Self::RoomReopened | Self::RoomDeleted => (&[Room, Position, Seq, Nth, At], &[]),
            Self::MessageEdited => {
                (&[Room, Position, Seq, Nth, At, Message, MessageSeq, MessageText], &[])
            }
            Self::MessageDeleted => (&[Room, Position, Seq, Nth, At, Message, MessageSeq], &[]),
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
