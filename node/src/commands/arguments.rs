//! The command line. What stands here as documentation is the program's help.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};
use parlance::domain::id::UserId;

/// A node of a chat cluster: Socket.IO in front, Redis behind.
///
/// Without any configuration a node serves its own machine: it starts a private Redis, makes a
/// secret, and prints an address and a token. Any setting about Redis or tokens, or
/// NODE_ENV=production, ends that, and the strict defaults hold.
#[derive(Debug, Parser)]
#[command(name = "parlance", version, after_help = SOURCES)]
pub(crate) struct Arguments {
    /// Read settings from this TOML file [environment: PARLANCE_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Set one setting, over everything else: --set listen=127.0.0.1:4000
    #[arg(long, global = true, value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
    /// What to do [default: serve]
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

const SOURCES: &str = "\
Settings come from, later wins: defaults, the file, .env, .env.local, the environment, --set.
In the environment redis.url is PARLANCE_REDIS__URL: two underscores between levels, commas in
lists. PORT, REDIS_URL, JWT_SECRET, JWT_ACCESS_SECRET_KEY, FRONTEND_URL, CLIENT_URL,
SOCKET_CORS_ORIGINS, SOCKET_HEARTBEAT_INTERVAL, SOCKET_HEARTBEAT_TIMEOUT, LOG_LEVEL and
SOCKET_DEBUG are read too; secrets also from files: JWT_SECRET_FILE, REDIS_URL_FILE.
config/parlance.example.toml lists every setting with its default.

Exit codes: 0 done, 1 failed, 64 wrong configuration or arguments (all mistakes are listed).";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a node until SIGTERM or Ctrl-C; a second signal ends it at once
    Serve,
    /// Read the configuration and list all mistakes in it
    Check,
    /// Print a token that a node with this configuration takes
    Token(TokenArguments),
    /// Look at the protocols that this node speaks
    #[command(subcommand)]
    Dialects(DialectsCommand),
    /// Ask the node on this machine whether it is ready, for containers
    Healthcheck,
}

#[derive(Debug, Args)]
pub(crate) struct TokenArguments {
    /// The user's id
    #[arg(long, value_name = "ID", value_parser = UserId::parse)]
    pub(crate) sub: UserId,
    /// The display name [default: the id]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// What the user is
    #[arg(long, default_value = "user", value_parser = PossibleValuesParser::new(ROLES))]
    pub(crate) role: String,
    /// Rooms that the token grants, by id or prefix: conv-1,team-*
    #[arg(long, value_delimiter = ',')]
    pub(crate) rooms: Vec<String>,
    /// Departments of an agent
    #[arg(long, value_delimiter = ',')]
    pub(crate) departments: Vec<String>,
    /// How long the token lives: 90s, 15m, 1h or 7d
    #[arg(long, default_value = "1h", value_parser = duration)]
    pub(crate) ttl: Duration,
}

const ROLES: [&str; 5] = ["user", "client", "volunteer", "agent", "admin"];

#[derive(Debug, Subcommand)]
pub(crate) enum DialectsCommand {
    /// Name all dialects, with the namespaces that they are spoken on
    List,
    /// Check a dialect file, together with the built-in ones
    Check {
        /// The file
        file: PathBuf,
    },
    /// Print a dialect's file
    Show {
        /// The dialect's name
        name: String,
    },
}

/// A whole number and its unit.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|it: char| !it.is_ascii_digit());
    let seconds = match &text[digits.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err("write a number and s, m, h or d".to_owned()),
    };
    let number: u32 = digits.parse().map_err(|error| format!("{error}"))?;
    Ok(Duration::from_secs(u64::from(number) * seconds))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn durations_have_a_number_and_a_unit() {
        for (text, seconds) in [("90s", Some(90)), ("15m", Some(900)), ("7d", Some(604_800))] {
            assert_eq!(duration(text).ok(), seconds.map(Duration::from_secs), "{text}");
        }
        for text in ["", "1", "h", "-1h", "1.5h", "1h30m", "99999999999d", "1é"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
