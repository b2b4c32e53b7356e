//! What is promised while Redis changes its primaries, on one Redis and behind Sentinel.

#[cfg(test)]
mod durable;
#[cfg(test)]
mod sentinel;
#[cfg(test)]
#[path = "../store_support/mod.rs"]
#[expect(dead_code, reason = "each test binary uses its part")]
mod store_support;
