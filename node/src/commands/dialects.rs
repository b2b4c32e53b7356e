//! Looking at the protocols.

use parlance::config::Dialects;
use parlance::dialect;
use parlance::dialect::check::Faults;
use parlance::dialect::source::Source;

use crate::Failure;
use crate::commands::arguments::DialectsCommand;
use crate::commands::print;

pub(crate) fn run(config: &Dialects, command: DialectsCommand) -> Result<(), Failure> {
    let sources = Source::all(config.dir.as_deref()).map_err(faulty)?;
    match command {
        DialectsCommand::List => list(config),
        DialectsCommand::Check { file } => {
            let source = Source::read(&file).map_err(|fault| faulty(Faults(vec![fault])))?;
            let mut sources = sources;
            sources.retain(|it| it.name != source.name);
            sources.push(source);
            dialect::Dialects::compile(&sources).map_err(faulty)?;
            print(format_args!("{} is sound", file.display()))
        }
        DialectsCommand::Show { name } => match sources.iter().find(|it| it.name == name) {
            Some(source) => print(source.text.trim_end()),
            None => Err(Failure::Usage(format!("no dialect `{name}`"))),
        },
    }
}

/// One line a dialect: its name, then where it is spoken.
fn list(config: &Dialects) -> Result<(), Failure> {
    let dialects = config.compile().map_err(faulty)?;
    for (namespace, spoken) in dialects.namespaces() {
        for id in spoken {
            print(format_args!("{} on {namespace}", dialects.get(id).name()))?;
        }
    }
    for (path, id) in dialects.paths() {
        print(format_args!("{} over WebSockets at {path}", dialects.get(id).name()))?;
    }
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
fn faulty(faults: Faults) -> Failure {
    Failure::Usage(faults.to_string())
}
