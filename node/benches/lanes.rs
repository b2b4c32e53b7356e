//! What a delivery and an idle connection cost on each lane, beside the least that is possible.
//!
//! `cargo bench --bench lanes`: each row is a process of its own (the last ones: whole nodes and their
//! Redis) that serves clients in another one, all in one run, because only ratios between rows mean
//! anything on another machine.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a bench ends at its first surprise, and prints its figures"
)]

#[path = "lanes/clients.rs"]
mod clients;
#[path = "lanes/serve.rs"]
mod serve;
#[path = "lanes/talk.rs"]
mod talk;
#[path = "lanes/whole.rs"]
mod whole;

use std::process::Command;

use crate::talk::Talk;

/// What is measured: a name, and how its clients open their connections.
const ROWS: [&str; 3] = ["limit", "lean", "engine"];

/// Clients of each row.
const CLIENTS: usize = 1_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|it| it != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => {
            println!("{CLIENTS} clients, messages of 120 bytes\n");
            println!(
                "| lane | µs a delivery, rooms of 100 | µs a message, rooms of 2 | KiB idle |"
            );
            println!("|---|---|---|---|");
            for row in ROWS {
                let program = std::env::current_exe().unwrap();
                let status = Command::new(program).args(["serve", row]).status().unwrap();
                assert!(status.success(), "{row} failed");
            }
            whole::row();
        }
        ["serve", row] => serve::row(row),
        ["listen", row, address, deliveries] => {
            clients::listen(row, address, deliveries.parse().unwrap());
        }
        ["talk", nodes, room, a_second, messages, ref addresses @ ..] => {
            Talk::of_arguments([nodes, room, a_second, messages]).play(addresses);
        }
        _ => panic!("unknown arguments {arguments:?}"),
    }
}
