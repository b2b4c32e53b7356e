//! What the compiled dialects say and understand.

mod case;
mod desk;
mod documentation;
mod every;
mod faults;
mod files;
mod flow;
mod hearing;
mod packets;
mod samples;
mod telling;
mod ticket;

use std::sync::Arc;

use crate::dialect::source::Source;
use crate::dialect::{Dialect, DialectId, Dialects};

fn source(name: &str, text: &str) -> Source {
    Source { name: name.to_owned(), file: Arc::from(format!("{name}.toml")), text: text.to_owned() }
}

/// Compiles one file, which must be right.
fn compiled(text: &str) -> Dialects {
    Dialects::compile(&[source("test", text)]).unwrap()
}

fn first(dialects: &Dialects) -> &Dialect {
    dialects.get(DialectId(0))
}
