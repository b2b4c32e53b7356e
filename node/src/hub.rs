//! Who hears what: topics, their keepers, outboxes, and who is connected here.

pub mod outbox;
