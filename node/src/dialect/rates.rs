//! The bounds that a file names, read.

use std::time::Duration;

use crate::dialect::Rates;
use crate::dialect::check::Check;
use crate::dialect::file::Table;
use crate::dialect::request::EVENTS_DEFAULT;
use crate::domain::quota::Limit;

impl Rates {
    /// Reads `rates`.
    pub(super) fn read<'t>(check: &mut Check<'t>, file: &mut Table<'t>) -> Self {
        let Some(mut table) = file.table(check, "rates") else {
            return Self { events: Some(EVENTS_DEFAULT), messages: None, statuses: None };
        };
        let rates = Self {
            events: limit(check, &mut table, "events").or(Some(EVENTS_DEFAULT)),
            messages: limit(check, &mut table, "messages"),
            statuses: limit(check, &mut table, "statuses"),
        };
        table.finish(check);
        rates
    }
}

fn limit<'t>(check: &mut Check<'t>, rates: &mut Table<'t>, key: &'static str) -> Option<Limit> {
    let mut table = rates.table(check, key)?;
    let times = table.count(check, "times");
    let seconds = table.count(check, "seconds");
    let at = table.at;
    table.finish(check);
    let (Some(times), Some(seconds)) = (times, seconds) else {
        check.fault(at, format!("`{key}` needs `times` and `seconds`"));
        return None;
    };
    Some(Limit { times, per: Duration::from_secs(u64::from(seconds)) })
}
