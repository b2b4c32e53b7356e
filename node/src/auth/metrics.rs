//! What refused tokens count.

use metrics::{counter, describe_counter};

use crate::auth::AuthFailure;

const FAILURES: &str = "parlance_auth_failures_total";

/// Describes them to whoever scrapes, and begins at nothing.
pub(super) fn describe() {
    describe_counter!(FAILURES, "Tokens that did not verify, by reason");
    for failure in [AuthFailure::Invalid, AuthFailure::Expired, AuthFailure::Claims] {
        counter!(FAILURES, "reason" => reason(failure)).increment(0);
    }
}

impl AuthFailure {
    /// Counts a client that was not taken for this.
    pub fn count(&self) {
        counter!(FAILURES, "reason" => reason(*self)).increment(1);
    }
}

fn reason(failure: AuthFailure) -> &'static str {
    match failure {
        AuthFailure::Invalid => "invalid",
        AuthFailure::Expired => "expired",
        AuthFailure::Claims => "claims",
    }
}
