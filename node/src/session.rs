//! One connection: its commands in order, one in flight, and its end.

pub mod peer;
