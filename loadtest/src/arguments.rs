//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::cluster::fault::Fault;
use crate::cluster::redis::{Fsync, Kind};
use crate::dialect::{Dialect, Resume};
use crate::scenario::{Load, Scenario};
use crate::wire::target::Target;

/// Puts load on chat servers of this machine and checks every delivery.
///
/// The exit status is 1 when a rule was broken, 64 when the command line is wrong.
#[derive(Debug, Parser)]
#[command(name = "parlance-loadtest", version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a scenario against nodes that are running
    Run(Run),
    /// Run a scenario against another server of the same protocol, without what only Parlance offers
    Compare(Run),
    /// Start Redis and nodes on this machine, run a scenario against them, and break things meanwhile
    Cluster(Cluster),
}

#[derive(Debug, Args)]
pub(crate) struct Cluster {
    /// How many nodes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub(crate) nodes: u8,
    /// The node's binary [default: `parlance` beside this program, else on the search path]
    #[arg(long)]
    pub(crate) parlance: Option<PathBuf>,
    /// What Redis the nodes share
    #[arg(long, value_enum, default_value = "single")]
    pub(crate) redis: Kind,
    /// Nodes acknowledge what a replica, or the disk, has as well
    #[arg(long)]
    pub(crate) durable: bool,
    /// How often Redis writes to the disk
    #[arg(long, value_enum, default_value = "always")]
    pub(crate) fsync: Fsync,
    /// Put haproxy before the nodes
    #[arg(long)]
    pub(crate) haproxy: bool,
    /// A fault; several take turns
    #[arg(long = "fault", value_enum)]
    pub(crate) faults: Vec<Fault>,
    /// Seconds from one fault to the next
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) every: u64,
    /// Seconds that a fault lasts, if it is one that lasts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=50))]
    pub(crate) fault_seconds: u64,
    #[command(flatten)]
    pub(crate) options: Options,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Servers, as http://127.0.0.1:3000; the clients are spread over them
    #[arg(required = true)]
    pub(crate) urls: Vec<Target>,
    #[command(flatten)]
    pub(crate) secret: Secret,
    /// Process whose CPU time and memory are noted; may be repeated
    #[arg(long = "pid")]
    pub(crate) pids: Vec<u32>,
    #[command(flatten)]
    pub(crate) options: Options,
}

/// What signs the clients' tokens.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Secret {
    /// The servers' JWT secret (HS256)
    #[arg(long)]
    secret: Option<String>,
    /// A file that holds it
    #[arg(long)]
    secret_file: Option<PathBuf>,
}

impl Secret {
    /// The secret, from wherever it is.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn read(&self) -> std::io::Result<String> {
        match (&self.secret, &self.secret_file) {
            (Some(secret), _) => Ok(secret.clone()),
            (None, Some(file)) => Ok(std::fs::read_to_string(file)?.trim_end().to_owned()),
            (None, None) => Ok(String::new()),
        }
    }
}

/// What kind of load, and how much of it.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[arg(long, short, value_enum, default_value = "steady")]
    pub(crate) scenario: Scenario,
    /// Clients, one user each [default: as usual for the scenario, like the next five]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=18_000))]
    clients: Option<u32>,
    /// Rooms
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rooms: Option<u32>,
    /// Messages a second, all clients together
    #[arg(long, value_parser = positive)]
    rate: Option<f64>,
    /// For how long messages are sent
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=4 * 3600))]
    seconds: Option<u64>,
    /// Connections opened a second
    #[arg(long, value_parser = positive)]
    connects_per_second: Option<f64>,
    /// Length of a message
    #[arg(long, value_parser = clap::value_parser!(u32).range(64..=900_000))]
    bytes: Option<u32>,
    /// Percentage of messages that are sent once more under the same number after their
    /// acknowledgement
    #[arg(long, default_value_t = 1.0, value_parser = percentage)]
    pub(crate) repeats: f64,
    /// The protocol that the clients speak
    #[arg(long, value_enum, default_value = "conversation")]
    pub(crate) dialect: Dialect,
    /// How clients that lost their connection get what they missed
    #[arg(long, value_enum, default_value = "since")]
    pub(crate) resume: Resume,
    /// Seed of everything that is left to chance
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the figures to this file as JSON
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    /// Write a page with plots to this file
    #[arg(long)]
    pub(crate) html: Option<PathBuf>,
}

fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|error| format!("{error}"))?;
    let is_fine = (0.001..=1_000_000.0).contains(&number);
    is_fine.then_some(number).ok_or_else(|| "not between 0.001 and 1000000".to_owned())
}

fn percentage(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|error| format!("{error}"))?;
    (0.0..=100.0)
        .contains(&number)
        .then_some(number)
        .ok_or_else(|| "not between 0 and 100".to_owned())
}

impl Options {
    pub(crate) fn load(&self) -> Load {
        let usual = self.scenario.usual();
        Load {
            scenario: self.scenario,
            clients: self.clients.unwrap_or(usual.clients),
            rooms: self.rooms.unwrap_or(usual.rooms),
            rate: self.rate.unwrap_or(usual.rate),
            lasting: Duration::from_secs(self.seconds.unwrap_or(usual.seconds)),
            connects_per_second: self.connects_per_second.unwrap_or(usual.connects_per_second),
            seed: self.seed,
        }
    }

    pub(crate) fn message_bytes(&self) -> usize {
        let usual = self.scenario.usual().message_bytes;
        self.bytes.and_then(|it| usize::try_from(it).ok()).unwrap_or(usual)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn other_machines_are_refused() {
        let parse = |url| Arguments::try_parse_from(["x", "run", url, "--secret", "s"]);
        assert!(parse("http://127.0.0.1:3000").is_ok());
        assert!(parse("http://192.0.2.1:3000").is_err());
    }
}
