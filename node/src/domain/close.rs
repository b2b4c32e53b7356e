//! Why a connection ends, and what its client should do next.

/// The reason that ends a connection; metrics and logs name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The client went, or its transport broke.
    Gone,
    /// No pong in time.
    HeartbeatMissed,
    /// It read too slowly: its outbox was full. It may come back and resume.
    TooSlow,
    /// This node is going away; another one serves.
    Drain,
    /// The token has ended.
    TokenExpired,
    /// Nothing verified within the time that an unauthenticated connection has.
    AuthTimeout,
    /// Its client has come back over another connection.
    Replaced,
    /// What its client had before could not be given back now; it may ask again.
    Unrestored,
    /// The token was taken back.
    Revoked,
    /// An admin has put the user out.
    Dismissed,
    /// It broke the protocol.
    ProtocolViolation,
}

/// How the server ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The transport is closed under it: the official client reconnects by itself.
    Transport,
    /// A DISCONNECT packet: the official client stays away until told otherwise.
    Disconnect,
}

impl CloseReason {
    /// The reason in metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::HeartbeatMissed => "heartbeat_missed",
            Self::TooSlow => "too_slow",
            Self::Drain => "drain",
            Self::TokenExpired => "token_expired",
            Self::AuthTimeout => "auth_timeout",
            Self::Replaced => "replaced",
            Self::Unrestored => "unrestored",
            Self::Revoked => "revoked",
            Self::Dismissed => "dismissed",
            Self::ProtocolViolation => "protocol_violation",
        }
    }

    /// Whether the client still hears what waits for it: one that does not read hears nothing
    /// anyway, and one whose token was taken back must not.
    #[must_use]
    pub fn is_abrupt(self) -> bool {
        match self {
            Self::Gone | Self::TooSlow | Self::Replaced | Self::Revoked => true,
            Self::HeartbeatMissed
            | Self::Drain
            | Self::TokenExpired
            | Self::AuthTimeout
            | Self::Unrestored
            | Self::Dismissed
            | Self::ProtocolViolation => false,
        }
    }

    /// Whether the node has ended the connection for what its user did or may no longer do.
    #[must_use]
    pub fn is_verdict(self) -> bool {
        match self {
            Self::TokenExpired | Self::Revoked | Self::AuthTimeout | Self::Dismissed => true,
            Self::Gone
            | Self::HeartbeatMissed
            | Self::TooSlow
            | Self::Drain
            | Self::Replaced
            | Self::Unrestored
            | Self::ProtocolViolation => false,
        }
    }

    /// How a connection with this reason ends: whoever may come back keeps reconnecting.
    #[must_use]
    pub fn ending(self) -> Ending {
        match self {
            Self::Gone
            | Self::HeartbeatMissed
            | Self::TooSlow
            | Self::Drain
            | Self::TokenExpired
            | Self::Replaced
            | Self::Unrestored
            | Self::Revoked
            | Self::ProtocolViolation => Ending::Transport,
            Self::AuthTimeout | Self::Dismissed => Ending::Disconnect,
        }
    }
}
