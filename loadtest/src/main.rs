//! Load tests for chat clusters, with a ledger that checks every delivery.

use clap::Parser;

/// Load tests for chat clusters, with a ledger that checks every delivery.
///
/// There are no scenarios yet.
#[derive(Debug, Parser)]
#[command(name = "parlance-loadtest", version, arg_required_else_help = true)]
struct Arguments {}

fn main() {
    Arguments::parse();
}
