//! What is promised while Redis changes its primaries, with and without a replica.

#[cfg(test)]
mod durable;
#[cfg(test)]
#[path = "../store_support/mod.rs"]
#[expect(dead_code, reason = "each test binary uses its part")]
mod store_support;
