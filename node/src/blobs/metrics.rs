//! What uploads count.

use metrics::{counter, describe_counter};

use crate::domain::refusal::Refusal;

const UPLOADS: &str = "parlance_uploads_total";

/// Describes them to whoever scrapes.
pub(super) fn describe() {
    describe_counter!(UPLOADS, "Messages' sets of files, by what came of them");
    counter!(UPLOADS, "result" => "stored").increment(0);
}

/// Counts the files of one message.
pub(super) fn count(refusal: Option<&Refusal>) {
    counter!(UPLOADS, "result" => refusal.map_or("stored", Refusal::code)).increment(1);
}
