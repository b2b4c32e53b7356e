//! The recorder behind every metric of the process, and how it is scraped.
//!
//! Components declare their own metrics beside what they measure; here is only what all share.

use std::time::Duration;

use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

/// From half a millisecond (one Redis call) to where a client has given up. Names of histograms end
/// in `_seconds`, or they would become summaries, which cannot be added up over nodes.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Connections live from a blink to days.
const CONNECTION_SECONDS: [f64; 8] =
    [1.0, 10.0, 60.0, 600.0, 3600.0, 21_600.0, 86_400.0, 604_800.0];

/// How often measured values are folded together, so that a node that nobody scrapes stays small.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Makes the recorder of this process and answers the handle that renders it.
///
/// # Errors
/// There is one already.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let recorder = recorder()?;
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder)?;
    tell_build();
    Ok(handle)
}

/// Keeps the memory behind the handle small; runs until it is dropped.
pub async fn upkeep(handle: PrometheusHandle) {
    let mut due = tokio::time::interval(UPKEEP_INTERVAL);
    loop {
        due.tick().await;
        handle.run_upkeep();
    }
}

fn recorder() -> Result<PrometheusRecorder, BuildError> {
    let connections = Matcher::Full("parlance_connection_duration_seconds".to_owned());
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(connections, &CONNECTION_SECONDS)?;
    Ok(builder.build_recorder())
}

fn tell_build() {
    metrics::describe_gauge!("parlance_build_info", "Always 1; the label names the version");
    metrics::gauge!("parlance_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_histograms_and_the_version_is_told() {
        let recorder = recorder().unwrap();
        metrics::with_local_recorder(&recorder, || {
            tell_build();
            metrics::histogram!("parlance_x_seconds").record(0.003);
            metrics::histogram!("parlance_connection_duration_seconds").record(30.0);
        });
        let text = recorder.handle().render();
        for line in [
            concat!("parlance_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
            "# TYPE parlance_x_seconds histogram",
            "parlance_x_seconds_bucket{le=\"0.0025\"} 0",
            "parlance_x_seconds_bucket{le=\"0.005\"} 1",
            "parlance_connection_duration_seconds_bucket{le=\"60\"} 1",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
