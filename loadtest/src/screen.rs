//! What a person at the terminal sees: progress while it runs, one screen at the end.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::dialect::Offer;
use crate::meters::{Count, Quantiles, Timed};
use crate::run::Outcome;

/// Steps of the progress bar.
const STEPS: u64 = 1000;

/// The line that shows how far a run has come; nothing where there is no terminal.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(Some(STEPS), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{elapsed:>4} [{bar:30}] {msg}")
            .unwrap_or_else(|_error| ProgressStyle::default_bar());
        bar.set_style(style.progress_chars("=> "));
        Self(bar)
    }

    /// How far it is, from 0 to 1, and what has come of it so far.
    pub(crate) fn show(&self, part: f64, message: &str) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a part between 0 and 1 of a small number"
        )]
        let step = (part.clamp(0.0, 1.0) * STEPS as f64) as u64;
        self.0.set_position(step);
        self.0.set_message(message.to_owned());
    }

    /// What is being done now.
    pub(crate) fn say(&self, message: &str) {
        self.0.set_message(message.to_owned());
        self.0.tick();
    }

    pub(crate) fn end(&self) {
        self.0.finish_and_clear();
    }
}

/// Writes to the terminal.
pub(crate) fn print(text: &str) {
    #[expect(clippy::print_stdout, reason = "the report is what the program is for")]
    {
        print!("{text}");
    }
}

/// Says why nothing was done.
pub(crate) fn complain(text: &str) {
    #[expect(clippy::print_stderr, reason = "a mistake is told to whoever made it")]
    {
        eprintln!("parlance-loadtest: {text}");
    }
}

/// The whole outcome on one screen.
pub(crate) fn report(title: &str, outcome: &Outcome) -> String {
    let mut text = String::new();
    let mut line = |it: String| {
        text.push_str(&it);
        text.push('\n');
    };
    let load = &outcome.load;
    let counted = |it| outcome.world.meters.counted(it);
    line(format!(
        "{title}: {} clients, {} rooms, {} messages/s for {}, {} byte messages",
        load.clients,
        load.rooms,
        load.rate,
        seconds(load.lasting),
        outcome.world.message_bytes
    ));
    line(String::new());
    line(format!(
        "{:10} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "ms", "count", "p50", "p90", "p99", "p99.9", "max"
    ));
    for what in Timed::ALL {
        let it = Quantiles::of(&outcome.timeline.whole[what as usize]);
        let times = [it.p50_us, it.p90_us, it.p99_us, it.p999_us, it.max_us].map(millis);
        let times = times.map(|it| format!("{it:>9}")).join(" ");
        if 0 < it.count {
            line(format!("{:10} {:>9} {times}", what.name(), it.count));
        }
    }
    line(String::new());
    let counts = Count::ALL.iter().filter(|it| 0 < counted(**it));
    let counts: Vec<String> =
        counts.map(|it| format!("{} {}", it.name().replace('_', " "), counted(*it))).collect();
    for part in counts.chunks(6) {
        line(part.join(", "));
    }
    for (code, count) in outcome.world.meters.codes() {
        line(format!("  {count} x {code}"));
    }
    for mark in &outcome.marks {
        let proof = mark.proof.as_deref().unwrap_or("NOT PROVEN TO HAVE ACTED");
        line(format!("fault {:.1} to {:.1} s: {} ({proof})", mark.from, mark.until, mark.what));
    }
    line(usage(outcome));
    line(judgement(outcome));
    text
}

fn usage(outcome: &Outcome) -> String {
    let used: Vec<_> = outcome.timeline.seconds.iter().filter_map(|it| it.server).collect();
    if used.is_empty() {
        return String::new();
    }
    // A process that ended takes its time with it: that second is not counted.
    let grown = used.windows(2).map(|it| (it[1].cpu_seconds - it[0].cpu_seconds).max(0.0));
    let cpu: f64 = grown.sum();
    let peak = used.iter().map(|it| it.resident_bytes).max().unwrap_or(0);
    format!("server: {cpu:.1} s CPU in all, {} MiB at most\n", peak / 1024 / 1024)
}

fn judgement(outcome: &Outcome) -> String {
    let mut text = String::new();
    let delivery = outcome.delivery;
    let acked = outcome.world.meters.counted(Count::Acked);
    let mut add = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    add(format!("told {} of {} due{}", delivery.told, delivery.expected, percent(outcome)));
    let silence = outcome.longest_silence();
    if outcome.world.offer == Offer::Full && 0 < silence {
        add(format!("longest time without an acknowledgement: {silence} s"));
    }
    if 0 < outcome.open_sends {
        add(format!("{} messages had no outcome at the end", outcome.open_sends));
    }
    for (class, broken) in &outcome.findings.broken {
        add(format!("{} broken {} times", class.name(), broken.count));
        for example in &broken.examples {
            add(format!("    {example}"));
        }
    }
    if let Some(why) = outcome.cut_short {
        add(format!("the run ended early: {why}"));
    }
    if outcome.is_good() {
        #[expect(clippy::cast_precision_loss, reason = "a bound, not a count")]
        let bound = 3.0 / acked.max(1) as f64;
        if outcome.world.offer == Offer::Bare {
            add("no rule broken of those that hold for any server of the protocol".to_owned());
            return text;
        }
        add(format!(
            "the ledger holds: 0 of {acked} acknowledged messages lost (95 %: below {bound:.1e})"
        ));
    } else if outcome.findings.is_clean() {
        add("THE RUN DOES NOT COUNT, though no rule was broken".to_owned());
    } else {
        add("THE LEDGER DOES NOT HOLD".to_owned());
    }
    text
}

fn percent(outcome: &Outcome) -> String {
    let delivery = outcome.delivery;
    if delivery.expected == 0 {
        return String::new();
    }
    #[expect(clippy::cast_precision_loss, reason = "a percentage")]
    let percent = 100.0 * delivery.told as f64 / delivery.expected as f64;
    format!(" ({percent:.4} %)")
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs())
}

fn millis(microseconds: u64) -> String {
    format!("{}.{:01}", microseconds / 1000, microseconds % 1000 / 100)
}
