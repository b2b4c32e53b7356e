//! Lines over time as SVG.

use std::fmt::Write;

/// Size of a plot in SVG units, and the room left for its axes.
const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 70.0;
const BOTTOM: f64 = 24.0;
const TOP: f64 = 8.0;

/// Colours that also people with a red-green weakness tell apart.
const COLOURS: [&str; 4] = ["#0072b2", "#e69f00", "#009e73", "#cc79a7"];

/// Lines on the value axis.
const STEPS: u32 = 4;

/// How values are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    Linear,
    /// Each step is ten times the one before: for latencies, whose tails matter.
    Decades,
}

/// One line: its name and its points (seconds, value).
#[derive(Debug)]
pub(super) struct Series {
    pub(super) name: &'static str,
    pub(super) points: Vec<(f64, f64)>,
}

/// A plot of lines over seconds, with stretches marked.
#[derive(Debug)]
pub(super) struct Plot<'a> {
    pub(super) title: &'a str,
    pub(super) unit: &'a str,
    pub(super) scale: Scale,
    pub(super) series: Vec<Series>,
    /// From, until, and what: something was done to the servers.
    pub(super) marks: Vec<(f64, f64, &'a str)>,
}

impl Plot<'_> {
    /// The figure with its heading and legend; empty where there is nothing to show.
    pub(super) fn svg(&self) -> String {
        let points = || self.series.iter().flat_map(|it| &it.points);
        let seconds = points().map(|it| it.0).fold(0.0, f64::max);
        let highest = points().map(|it| it.1).fold(0.0, f64::max);
        if seconds <= 0.0 || highest <= 0.0 {
            return String::new();
        }
        let axes = Axes::new(self.scale, seconds, highest, points().map(|it| it.1));
        let mut body = String::new();
        for (from, until, what) in &self.marks {
            body.push_str(&axes.mark(*from, *until, what));
        }
        body.push_str(&axes.grid(self.unit));
        for (series, colour) in self.series.iter().zip(COLOURS) {
            body.push_str(&axes.line(series, colour));
        }
        let legend = self.series.iter().zip(COLOURS).map(|(series, colour)| {
            format!("<span style=\"color:{colour}\">&#9632; {}</span> ", series.name)
        });
        let legend: String = legend.collect();
        format!(
            "<h2>{}</h2><p>{legend}</p><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\">{body}</svg>\n",
            self.title
        )
    }
}

/// From values to places.
struct Axes {
    scale: Scale,
    seconds: f64,
    low: f64,
    high: f64,
}

impl Axes {
    fn new(scale: Scale, seconds: f64, highest: f64, values: impl Iterator<Item = f64>) -> Self {
        let lowest = values.filter(|it| 0.0 < *it).fold(highest, f64::min);
        let (low, high) = match scale {
            Scale::Linear => (0.0, highest * 1.05),
            Scale::Decades => (lowest.log10().floor(), highest.log10().ceil()),
        };
        // Equal values still need a decade to lie in.
        let high = match scale {
            Scale::Linear => high,
            Scale::Decades => high.max(low + 1.0),
        };
        Self { scale, seconds, low, high }
    }

    fn x(&self, seconds: f64) -> f64 {
        LEFT + (WIDTH - LEFT) * (seconds / self.seconds).clamp(0.0, 1.0)
    }

    fn y(&self, value: f64) -> f64 {
        let place = match self.scale {
            Scale::Linear => value,
            Scale::Decades => value.log10(),
        };
        let part = ((place - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * part
    }

    fn grid(&self, unit: &str) -> String {
        let mut text = String::new();
        let mut value_line = |value: f64| {
            let y = self.y(value);
            let label = label(value);
            text.push_str(&format!(
                "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{WIDTH}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label} {unit}</text>",
                LEFT - 6.0,
                y + 4.0
            ));
        };
        match self.scale {
            Scale::Linear => {
                for step in 0..=STEPS {
                    value_line(self.high / 1.05 * f64::from(step) / f64::from(STEPS));
                }
            }
            Scale::Decades => {
                let mut decade = self.low;
                while decade <= self.high {
                    value_line(10_f64.powf(decade));
                    decade += 1.0;
                }
            }
        }
        for step in 0..=8 {
            let seconds = self.seconds * f64::from(step) / 8.0;
            // Writing to a text cannot fail, and the compiler wants to hear that.
            let written = write!(
                text,
                "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"{}\">{seconds:.0} s</text>",
                self.x(seconds),
                HEIGHT - 6.0,
                if step == 8 { "end" } else { "middle" }
            );
            debug_assert!(written.is_ok());
        }
        text
    }

    fn mark(&self, from: f64, until: f64, what: &str) -> String {
        let (x, end) = (self.x(from), self.x(until));
        format!(
            "<rect class=\"mark\" x=\"{x:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\"><title>{}</title></rect>",
            (end - x).max(2.0),
            HEIGHT - BOTTOM - TOP,
            escape(what)
        )
    }

    fn line(&self, series: &Series, colour: &str) -> String {
        let points = series.points.iter().filter(|it| self.scale == Scale::Linear || 0.0 < it.1);
        let points: Vec<String> =
            points.map(|(x, y)| format!("{:.1},{:.1}", self.x(*x), self.y(*y))).collect();
        format!("<polyline class=\"line\" stroke=\"{colour}\" points=\"{}\"/>", points.join(" "))
    }
}

fn label(value: f64) -> String {
    if 1000.0 <= value {
        format!("{:.4} k", value / 1000.0).replace(".0000", "")
    } else if value == 0.0 || 10.0 <= value {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}

/// Text for HTML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(scale: Scale, points: Vec<(f64, f64)>) -> String {
        let series = vec![Series { name: "p99", points }];
        let marks = vec![(1.0, 2.0, "kill <1>")];
        Plot { title: "t", unit: "ms", scale, series, marks }.svg()
    }

    #[test]
    fn points_lie_where_their_values_are() {
        let svg = plot(Scale::Linear, vec![(0.0, 0.0), (4.0, 100.0)]);
        assert!(svg.contains("points=\"70.0,216.0 900.0,17.9\""), "{svg}");
        let svg = plot(Scale::Decades, vec![(2.0, 1.0), (3.0, 0.0), (4.0, 99.0)]);
        assert!(svg.contains("points=\"485.0,216.0 900.0,8.5\""), "{svg}");
        assert!(svg.contains("<title>kill &lt;1&gt;</title>"));
    }

    #[test]
    fn nothing_to_show_shows_nothing() {
        assert_eq!(plot(Scale::Linear, Vec::new()), "");
        assert_eq!(plot(Scale::Decades, vec![(1.0, 0.0)]), "");
    }
}
