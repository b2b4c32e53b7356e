//! What the program can be asked to do.

pub(crate) mod arguments;
mod dialects;
mod healthcheck;
mod serve;

use std::fmt::Display;
use std::io::{self, Write};
use std::path::PathBuf;

use parlance::auth::config::Config as AuthConfig;
use parlance::auth::mint::{NewToken, mint};
use parlance::clock;
use parlance::config::load::{Sources, load};
use parlance::config::{Config, laptop};
use parlance::domain::role::Role;

use crate::Failure;
use crate::commands::arguments::{Arguments, Command, TokenArguments};

/// Does what the command line asks.
pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { config: file, set, command } = arguments;
    let config = read(file, set)?;
    match command.unwrap_or(Command::Serve) {
        Command::Serve => serve::serve(config),
        Command::Check => print("the configuration is sound"),
        Command::Token(wanted) => token(config, wanted),
        Command::Dialects(command) => dialects::run(&config.dialects, command),
        Command::Healthcheck => healthcheck::ask(config.internal_listen),
    }
}

fn read(file: Option<PathBuf>, set: Vec<String>) -> Result<Config, Failure> {
    load(&Sources::of_process(file, set)).map_err(|mistakes| Failure::Usage(mistakes.to_string()))
}

fn token(mut config: Config, wanted: TokenArguments) -> Result<(), Failure> {
    let TokenArguments { sub, name, role, rooms, departments, ttl } = wanted;
    prepare(&mut config)?;
    let role = Role::from_claim(&role);
    let wanted = NewToken { user: sub, name, role, rooms, departments, ttl };
    print(new_token(&config.auth, &wanted)?)
}

/// Gives a laptop start its secret.
fn prepare(config: &mut Config) -> Result<(), Failure> {
    laptop::prepare(config).map_err(|error| {
        let folder = config.data_dir.display();
        Failure::Failed(format!("data_dir: cannot keep a secret in {folder}: {error}"))
    })
}

fn new_token(config: &AuthConfig, wanted: &NewToken) -> Result<String, Failure> {
    mint(config, wanted, clock::now()).map_err(failed)
}

fn failed(error: impl Display) -> Failure {
    Failure::Failed(error.to_string())
}

/// One line, or several, for whoever called.
fn print(text: impl Display) -> Result<(), Failure> {
    writeln!(io::stdout(), "{text}").map_err(failed)
}
