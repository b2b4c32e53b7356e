//! The program `parlance`: arguments → configuration → log → node → exit code.

mod commands;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::commands::arguments::Arguments;

/// Exit code for a wrong configuration or command line, as `sysexits.h` has it.
const EXIT_USAGE: u8 = 64;

/// Why a command did not do what it was asked.
enum Failure {
    /// The configuration or an argument is wrong; the text says all of it.
    Usage(String),
    /// It was tried, and did not work.
    Failed(String),
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let is_mistake = error.use_stderr(); // help and version are no mistakes
            return match error.print() {
                Ok(()) if !is_mistake => ExitCode::SUCCESS,
                Ok(()) | Err(_) => ExitCode::from(EXIT_USAGE),
            };
        }
    };
    let (text, code) = match commands::run(arguments) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Usage(text)) => (text, ExitCode::from(EXIT_USAGE)),
        Err(Failure::Failed(text)) => (text, ExitCode::FAILURE),
    };
    // Nobody is left to hear that standard error is gone.
    writeln!(io::stderr(), "{text}").ok();
    code
}
