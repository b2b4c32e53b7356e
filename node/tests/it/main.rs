//! The cluster from outside: real node processes over real Redis processes, driven by clients that
//! know nothing but the wire. Each test starts its own cluster, so all can run side by side.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "test code fails by panicking, and its tasks end with the runtime of their test"
)]

mod api;
mod api_files;
mod attachments;
mod audit;
mod case;
mod contract;
mod desk;
mod desk_lists;
mod devices;
mod drain;
mod five;
mod flow;
mod following;
mod harness;
mod heartbeat;
mod hook;
mod issuers;
mod limits;
mod log_level;
mod messages;
mod metrics;
mod node_loss;
mod order;
mod presence;
mod put_out;
mod receipts;
mod recovery;
mod redis_down;
mod refusals;
mod repair;
mod resume;
mod revocation;
mod room_access;
mod rooms;
mod scenes;
mod sixth;
mod slow;
mod ticket;
mod tickets_http;
mod tokens;
mod traces;
mod trust;
mod typing;
