//! One page with everything in it: no script, no request to anywhere.

use crate::meters::{Count, Quantiles, Timed};
use crate::report::Report;
use crate::report::plot::{Plot, Scale, Series, escape};

const STYLE: &str = "body{font:15px/1.4 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}\
table{border-collapse:collapse}td,th{padding:.15rem .8rem;text-align:right;border-bottom:1px solid #ddd}\
td:first-child,th:first-child{text-align:left}svg{width:100%;background:#fafafa}svg text{font-size:11px;fill:#555}\
.grid{stroke:#ddd}.line{fill:none;stroke-width:1.6}.mark{fill:#d55e00;opacity:.25}.bad{color:#b00}.good{color:#070}pre{white-space:pre-wrap}";

/// The page.
pub(super) fn page(report: &Report<'_>) -> String {
    let verdict = if report.is_good {
        "<p class=\"good\">The ledger holds: no rule was broken.</p>"
    } else {
        "<p class=\"bad\">The ledger does not hold.</p>"
    };
    let body = [
        format!("<h1>{}</h1>", escape(report.title)),
        format!(
            "<p>{} clients, {} rooms, {} messages a second for {} s, {} bytes each.</p>",
            report.clients,
            report.rooms,
            report.messages_per_second,
            report.seconds,
            report.message_bytes
        ),
        verdict.to_owned(),
        findings(report),
        marks(report),
        latencies(report),
        counts(report),
        plots(report),
    ];
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{}</title><style>{STYLE}</style>\n{}</html>\n",
        escape(report.title),
        body.join("\n")
    )
}

fn findings(report: &Report<'_>) -> String {
    let delivery = report.delivery;
    let mut text = format!("<p>Told {} of {} due.</p>", delivery.told, delivery.expected);
    for (class, broken) in &report.findings.broken {
        let examples = escape(&broken.examples.join("\n"));
        text.push_str(&format!(
            "<h3 class=\"bad\">{}: {} times</h3><pre>{examples}</pre>",
            class.name(),
            broken.count
        ));
    }
    text
}

fn marks(report: &Report<'_>) -> String {
    if report.marks.is_empty() {
        return String::new();
    }
    let rows = report.marks.iter().map(|it| {
        let proof = it.proof.as_deref().unwrap_or("NOT PROVEN");
        let (what, proof) = (escape(&it.what), escape(proof));
        format!(
            "<tr><td>{what}</td><td>{:.1}</td><td>{:.1}</td><td>{proof}</td></tr>",
            it.from, it.until
        )
    });
    let rows: String = rows.collect();
    format!("<h2>Faults</h2><table><tr><th>what<th>from, s<th>until, s<th>seen</tr>{rows}</table>")
}

fn latencies(report: &Report<'_>) -> String {
    let rows = report.latencies.iter().filter(|(_, it)| 0 < it.count).map(|(name, it)| {
        let times = [it.p50_us, it.p90_us, it.p99_us, it.p999_us, it.max_us].map(millis);
        let times = times.map(|it| format!("<td>{it:.1}</td>")).concat();
        format!("<tr><td>{name}</td><td>{}</td>{times}</tr>", it.count)
    });
    let rows: String = rows.collect();
    format!(
        "<h2>Latencies in ms</h2><table><tr><th><th>count<th>p50<th>p90<th>p99<th>p99.9<th>max</tr>{rows}</table>"
    )
}

fn counts(report: &Report<'_>) -> String {
    let counts = report.counts.iter().map(|(name, it)| (name.replace('_', " "), it));
    let codes = report.codes.iter().map(|(code, it)| (escape(code), it));
    let rows = counts.chain(codes).filter(|it| 0 < *it.1);
    let rows: String =
        rows.map(|(name, it)| format!("<tr><td>{name}</td><td>{it}</td></tr>")).collect();
    format!("<h2>Counts</h2><table>{rows}</table>")
}

fn plots(report: &Report<'_>) -> String {
    let marks = || report.marks.iter().map(|it| (it.from, it.until, it.what.as_str())).collect();
    let times = |what: Timed, name, pick: fn(&Quantiles) -> u64| {
        let points =
            report.timeline.iter().map(|it| (it.at, millis(pick(&it.latencies[what as usize]))));
        Series { name, points: points.collect() }
    };
    let latency = |what: Timed| {
        vec![
            times(what, "p50", |it| it.p50_us),
            times(what, "p99", |it| it.p99_us),
            times(what, "max", |it| it.max_us),
        ]
    };
    let count = |what: Count, name| Series {
        name,
        #[expect(clippy::cast_precision_loss, reason = "a place in a plot")]
        points: report.timeline.iter().map(|it| (it.at, it.counts[what as usize] as f64)).collect(),
    };
    let plot =
        |title, unit, scale, series| Plot { title, unit, scale, series, marks: marks() }.svg();
    [
        plot("Delivery latency", "ms", Scale::Decades, latency(Timed::Delivery)),
        plot("Acknowledgement latency", "ms", Scale::Decades, latency(Timed::Ack)),
        plot("Return after a lost connection", "ms", Scale::Decades, latency(Timed::Return)),
        plot("Deliveries a second", "", Scale::Linear, vec![count(Count::Delivered, "delivered")]),
        plot(
            "Messages a second",
            "",
            Scale::Linear,
            vec![
                count(Count::Acked, "acknowledged"),
                count(Count::Unknown, "without an outcome"),
                count(Count::Refused, "refused"),
            ],
        ),
        plot(
            "Connections a second",
            "",
            Scale::Linear,
            vec![count(Count::Connects, "opened"), count(Count::Losses, "lost")],
        ),
        plot("CPU of the servers", "cores", Scale::Linear, vec![cpu(report)]),
        plot("Memory of the servers", "MiB", Scale::Linear, vec![memory(report)]),
    ]
    .concat()
}

/// Cores in use between two readings; a process that ended makes the sum fall, which is no use.
fn cpu(report: &Report<'_>) -> Series {
    let used = report.timeline.windows(2).filter_map(|it| {
        let (before, now) = (it[0].server?, it[1].server?);
        let cores = (now.cpu_seconds - before.cpu_seconds) / (it[1].at - it[0].at).max(0.001);
        Some((it[1].at, cores.max(0.0)))
    });
    Series { name: "cores", points: used.collect() }
}

fn memory(report: &Report<'_>) -> Series {
    #[expect(clippy::cast_precision_loss, reason = "a place in a plot")]
    let mib = |bytes: u64| bytes as f64 / 1024.0 / 1024.0;
    let used =
        report.timeline.iter().filter_map(|it| Some((it.at, mib(it.server?.resident_bytes))));
    Series { name: "resident", points: used.collect() }
}

fn millis(microseconds: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "latencies are far below 2^52 us")]
    let millis = microseconds as f64 / 1000.0;
    millis
}
