//! The glossary: every noun of the product as a type, without I/O, clock or runtime.
//!
//! A *message* is what a person wrote. An *event* is a fact about a room that its log keeps; an
//! *entry* is an event with its place in that log. A *signal* is a fact that may be lost. A
//! *command* is what a client asks, a *reply* the answer, a *refusal* the answer no. A *notice*
//! is what a client is told without having asked. An *upload* is a file as a client sends it, an
//! *attachment* what its message keeps of it.

pub mod attachment;
pub mod claims;
pub mod close;
pub mod command;
pub mod event;
pub mod id;
pub mod message;
pub mod moderation;
pub mod news;
pub mod notice;
pub mod position;
pub mod presence;
pub mod quota;
pub mod receipt;
pub mod recovery;
pub mod refusal;
pub mod reply;
pub mod revoked;
pub mod role;
pub mod room;
pub mod room_fields;
pub mod signal;
pub mod stats;
pub mod time;
pub mod topic;
pub mod trace;
pub mod view;
