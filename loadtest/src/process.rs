//! CPU time and memory of processes on this machine, from `/proc`.

use std::fs;

use serde::Serialize;

/// What some processes use together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Usage {
    /// Seconds of CPU time since each process started.
    pub(crate) cpu_seconds: f64,
    /// Resident memory in bytes.
    pub(crate) resident_bytes: u64,
    /// How many of the processes are there.
    pub(crate) processes: usize,
}

/// The sum over those of the processes that are there; `None`: none is watched.
pub(crate) fn usage(pids: &[u32]) -> Option<Usage> {
    if pids.is_empty() {
        return None;
    }
    let found: Vec<(f64, u64)> = pids.iter().filter_map(|pid| one(*pid)).collect();
    Some(Usage {
        cpu_seconds: found.iter().map(|it| it.0).sum(),
        resident_bytes: found.iter().map(|it| it.1).sum(),
        processes: found.len(),
    })
}

fn one(pid: u32) -> Option<(f64, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let ticks = cpu_ticks(&stat)?;
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    #[expect(clippy::cast_precision_loss, reason = "ticks of a run fit many times")]
    let seconds = ticks as f64 / rustix::param::clock_ticks_per_second() as f64;
    Some((seconds, pages * rustix::param::page_size() as u64))
}

/// User and system time. The process' name may hold blanks and brackets, so fields are counted
/// from its last bracket.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_ascii_whitespace().skip(11);
    let user: u64 = times.next()?.parse().ok()?;
    let system: u64 = times.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_behind_any_name() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 100 0 0 0 31 11 0 0 20 0 1 0 100 0 0";
        assert_eq!(cpu_ticks(stat), Some(42));
        assert_eq!(cpu_ticks("7 (a"), None);
    }

    #[test]
    fn this_process_uses_memory_and_the_dead_are_left_out() {
        let usage = usage(&[std::process::id(), u32::MAX]).unwrap();
        assert_eq!(usage.processes, 1);
        assert!(0 < usage.resident_bytes);
        assert_eq!(super::usage(&[]), None);
    }
}
