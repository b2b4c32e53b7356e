//! Parlance: a node of a horizontally scaled chat cluster.
//!
//! A node ends Socket.IO connections and keeps nothing: rooms, messages and presence live in
//! Redis, which puts every room's events in one order. Whatever a client asks becomes a command of
//! one chat core; whatever it hears is spelled by its dialect, which is a file. Everything may be
//! lost on its way except the log in Redis: a hole is seen and read again. Any node can serve any
//! room, and killing one loses nothing that was acknowledged.
//!
//! Modules use only modules of earlier lines; `tests/tidy.rs` holds this table:
//!
//! | layer | modules |
//! |---|---|
//! | words | `domain` |
//! | ground | `clock`, `secret`, `lifecycle`, `telemetry` |
//! | translators, Redis, files | `auth`, `dialect`, `store`, `blobs` |
//! | core | `chat` (what is asked), `hub` (who hears it) |
//! | connection | `session` |
//! | doors | `gateway`, `http` |
//! | settings | `config` |
//! | whole | `app` |

pub mod app;
pub mod auth;
pub mod blobs;
pub mod chat;
pub mod clock;
pub mod config;
pub mod dialect;
pub mod domain;
pub mod gateway;
pub mod http;
pub mod hub;
pub mod lifecycle;
pub mod secret;
pub mod session;
pub mod store;
pub mod telemetry;
