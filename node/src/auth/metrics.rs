//! What of tokens is counted.

use metrics::{counter, describe_counter};

use crate::auth::AuthFailure;

const FAILURES: &str = "parlance_auth_failures_total";
const READINGS: &str = "parlance_jwks_reads_total";

/// Tells the recorder what each metric means.
pub(crate) fn describe() {
    describe_counter!(FAILURES, "Tokens that were not taken, by the reason");
    describe_counter!(READINGS, "Readings of issuers' keys, by what came of them");
    // What alerts and dashboards divide by begins at nothing and is not absent.
    counter!(FAILURES, "reason" => AuthFailure::Invalid.as_str()).increment(0);
    counter!(FAILURES, "reason" => AuthFailure::Expired.as_str()).increment(0);
    counter!(FAILURES, "reason" => AuthFailure::Claims.as_str()).increment(0);
    counter!(READINGS, "result" => "ok").increment(0);
    counter!(READINGS, "result" => "failed").increment(0);
}

/// A token was not taken.
pub(crate) fn failed(failure: AuthFailure) {
    counter!(FAILURES, "reason" => failure.as_str()).increment(1);
}

/// An issuer was asked for its keys.
pub(crate) fn keys_read(has_brought_keys: bool) {
    let result = if has_brought_keys { "ok" } else { "failed" };
    counter!(READINGS, "result" => result).increment(1);
}
