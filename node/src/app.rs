//! The node as a whole: every part started, and stopped in order.

use crate::config::Config;

/// Runs a node until it has left.
///
/// # Errors
/// A part could not start.
pub async fn run(_config: Config) -> std::io::Result<()> {
    std::future::pending().await
}
