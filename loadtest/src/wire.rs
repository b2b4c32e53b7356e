//! The client side of the wire, written apart from any server: packets, sockets, tokens.

pub(crate) mod packet;
pub(crate) mod socket;
pub(crate) mod target;
pub(crate) mod token;
