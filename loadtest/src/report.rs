//! The outcome of a run as files: figures for programs, a page for people.

mod page;
mod plot;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::ledger::{Delivery, Findings};
use crate::meters::{Count, Quantiles, Second, Timed};
use crate::run::{Mark, Outcome};

/// Everything that is known about a run, in one piece.
#[derive(Debug, Serialize)]
pub(crate) struct Report<'a> {
    pub(crate) title: &'a str,
    pub(crate) is_good: bool,
    pub(crate) clients: u32,
    pub(crate) rooms: u32,
    pub(crate) messages_per_second: f64,
    pub(crate) seconds: f64,
    pub(crate) message_bytes: usize,
    pub(crate) counts: BTreeMap<&'static str, u64>,
    /// Why things were refused, lost or odd, and how often.
    pub(crate) codes: BTreeMap<String, u64>,
    pub(crate) latencies: BTreeMap<&'static str, Quantiles>,
    pub(crate) delivery: Delivery,
    pub(crate) open_sends: u64,
    pub(crate) cut_short: Option<&'static str>,
    pub(crate) findings: &'a Findings,
    pub(crate) marks: &'a [Mark],
    /// The names of the numbers in each second's `counts`.
    pub(crate) count_names: [&'static str; Count::ALL.len()],
    /// The names of each second's `latencies`.
    pub(crate) latency_names: [&'static str; Timed::ALL.len()],
    pub(crate) timeline: &'a [Second],
}

impl<'a> Report<'a> {
    pub(crate) fn new(title: &'a str, outcome: &'a Outcome) -> Self {
        let meters = &outcome.world.meters;
        let whole = &outcome.timeline.whole;
        let latency = |it: Timed| (it.name(), Quantiles::of(&whole[it as usize]));
        Self {
            title,
            is_good: outcome.is_good(),
            clients: outcome.load.clients,
            rooms: outcome.load.rooms,
            messages_per_second: outcome.load.rate,
            seconds: outcome.load.lasting.as_secs_f64(),
            message_bytes: outcome.world.message_bytes,
            counts: Count::ALL.iter().map(|it| (it.name(), meters.counted(*it))).collect(),
            codes: meters.codes(),
            latencies: Timed::ALL.map(latency).into(),
            delivery: outcome.delivery,
            open_sends: outcome.open_sends,
            cut_short: outcome.cut_short,
            findings: &outcome.findings,
            marks: &outcome.marks,
            count_names: Count::ALL.map(Count::name),
            latency_names: Timed::ALL.map(Timed::name),
            timeline: &outcome.timeline.seconds,
        }
    }

    /// # Errors
    /// The file cannot be written.
    pub(crate) fn write_json(&self, file: &Path) -> std::io::Result<()> {
        std::fs::write(file, serde_json::to_vec_pretty(self)?)
    }

    /// # Errors
    /// The file cannot be written.
    pub(crate) fn write_page(&self, file: &Path) -> std::io::Result<()> {
        std::fs::write(file, page::page(self))
    }
}
