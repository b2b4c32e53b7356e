//! What is done to a cluster on purpose, and what shows that it was done.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::cluster::cut::Flow;
use crate::cluster::launched::{LaunchError, Launched, clock_offset};
use crate::cluster::redis::{Answer, Kind, ask, info, order};
use crate::cluster::{Cluster, Server, Shared};
use crate::run::Mark;

/// A fault. Each is over, and healed, before the next begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Fault {
    /// A node is killed and started again
    KillNode,
    /// A node is stopped for a while, and goes on
    StopNode,
    /// A node is told to end, ends by itself, and is started again
    DrainNode,
    /// A node is told to end and is killed before it is done
    KillDrainingNode,
    /// All nodes are killed at once and started again
    KillAllNodes,
    /// A node's clock is five minutes fast for a while, then five minutes slow
    SkewClock,
    /// Redis is killed and started again
    KillRedis,
    /// Redis answers nobody for a while
    PauseRedis,
    /// Redis does nothing at all for a while
    SleepRedis,
    /// Redis writes all that it has to its disk and reads it again
    ReloadRedis,
    /// Sentinel makes another Redis the primary though the present one lives
    FailOver,
    /// The primary is killed, and started again when Sentinel has made another one
    KillPrimary,
    /// Redis closes the connections that hear publications
    KillPubsub,
    /// Redis has no memory left for a while
    FillMemory,
    /// Nothing passes between one node and Redis for a while
    Partition,
    /// Nothing passes from one node to Redis for a while
    PartitionToRedis,
    /// Nothing passes from Redis to one node for a while
    PartitionToNode,
}

impl Fault {
    /// Whether it can be done to a cluster with such a Redis. Behind Sentinel nodes ask for the
    /// primary's own address, so nothing between them can be cut.
    pub(crate) fn is_possible(self, redis: Kind) -> bool {
        match self {
            Self::FailOver | Self::KillPrimary => redis == Kind::Sentinel,
            Self::Partition | Self::PartitionToRedis | Self::PartitionToNode => {
                redis == Kind::Single
            }
            Self::KillNode
            | Self::StopNode
            | Self::DrainNode
            | Self::KillDrainingNode
            | Self::KillAllNodes
            | Self::SkewClock
            | Self::KillRedis
            | Self::PauseRedis
            | Self::SleepRedis
            | Self::ReloadRedis
            | Self::KillPubsub
            | Self::FillMemory => true,
        }
    }
}

/// A node under load takes at least so long to end by itself.
const DRAIN_MIN: Duration = Duration::from_secs(4);

/// How far a clock is set off.
const SKEW_SECONDS: i64 = 300;

/// Time for a node to end by itself.
const DRAIN_MAX: Duration = Duration::from_secs(20);

/// Which faults, and when.
#[derive(Debug, Clone)]
pub(crate) struct Course {
    /// In turn; may be empty.
    pub(crate) faults: Vec<Fault>,
    /// From the start of the run to the first.
    pub(crate) first: Duration,
    /// From the beginning of one to the beginning of the next.
    pub(crate) every: Duration,
    /// How long those last that last.
    pub(crate) lasting: Duration,
    /// None begins after this time of the run.
    pub(crate) until: Duration,
    /// None begins after this word; the present one is brought to its end.
    pub(crate) interrupt: CancellationToken,
}

/// Goes through the faults, from the start of a run on.
pub(crate) async fn inject(cluster: Shared, course: Course) -> Vec<Mark> {
    let start = Instant::now();
    let mut marks = Vec::new();
    let mut due = course.first;
    for (round, fault) in course.faults.iter().cycle().enumerate() {
        if course.until <= due {
            break;
        }
        tokio::select! {
            biased;
            () = course.interrupt.cancelled() => break,
            () = sleep_until(start + due) => (),
        }
        let from = start.elapsed();
        let mut cluster = cluster.lock().await;
        let node = round % cluster.nodes.len();
        let acted = cluster.inject(*fault, node, course.lasting).await;
        let until = start.elapsed();
        // A fault that failed has no proof, so the run does not count; the words say why.
        let (what, proof) = match acted {
            Ok((what, proof)) => (what, proof),
            Err(error) => (format!("{fault:?} failed: {error}"), None),
        };
        marks.push(Mark { from: from.as_secs_f64(), until: until.as_secs_f64(), what, proof });
        due = (due + course.every).max(until);
    }
    marks
}

/// What was done, and what shows it.
pub(super) type Acted = (String, Option<String>);

impl Cluster {
    async fn inject(
        &mut self,
        fault: Fault,
        node: usize,
        lasting: Duration,
    ) -> Result<Acted, LaunchError> {
        match fault {
            Fault::KillNode => self.kill_node(node).await,
            Fault::StopNode => self.stop_node(node, lasting).await,
            Fault::DrainNode => self.drain_node(node).await,
            Fault::KillDrainingNode => self.kill_draining_node(node).await,
            Fault::KillAllNodes => self.kill_all_nodes().await,
            Fault::SkewClock => self.skew_clock(node, lasting).await,
            Fault::KillRedis => self.kill_redis().await,
            Fault::PauseRedis => self.pause_redis(lasting).await,
            Fault::SleepRedis => self.sleep_redis(lasting).await,
            Fault::ReloadRedis => self.reload_redis().await,
            Fault::FailOver => self.fail_over().await,
            Fault::KillPrimary => self.kill_primary().await,
            Fault::KillPubsub => self.kill_pubsub().await,
            Fault::FillMemory => self.fill_memory(lasting).await,
            Fault::Partition => {
                let flow = Flow { to_redis: false, to_node: false };
                Ok(self.partition(node, flow, lasting).await)
            }
            Fault::PartitionToRedis => {
                let flow = Flow { to_redis: false, to_node: true };
                Ok(self.partition(node, flow, lasting).await)
            }
            Fault::PartitionToNode => {
                let flow = Flow { to_redis: true, to_node: false };
                Ok(self.partition(node, flow, lasting).await)
            }
        }
    }

    async fn kill_node(&mut self, node: usize) -> Result<Acted, LaunchError> {
        let status = self.nodes[node].process.kill().await?;
        let back = self.start_node_again(node).await?;
        let proof = format!("{status}, ready again after {} ms", back.as_millis());
        Ok((format!("node {node} killed"), is_killed(status).then_some(proof)))
    }

    async fn stop_node(&mut self, node: usize, lasting: Duration) -> Result<Acted, LaunchError> {
        let process = &self.nodes[node].process;
        process.signal(Signal::STOP)?;
        sleep(lasting).await;
        let is_stopped = process.state() == Some('T');
        process.signal(Signal::CONT)?;
        let proof = is_stopped.then(|| "state T until it was continued".to_owned());
        Ok((format!("node {node} stopped for {} s", lasting.as_secs()), proof))
    }

    async fn drain_node(&mut self, node: usize) -> Result<Acted, LaunchError> {
        let began = Instant::now();
        let process = &mut self.nodes[node].process;
        process.signal(Signal::TERM)?;
        let status = process.ended(DRAIN_MAX).await;
        let took = began.elapsed().as_millis();
        if status.is_none() {
            process.kill().await?;
        }
        self.start_node_again(node).await?;
        let ended = status.map_or_else(|| "still running".to_owned(), |it| it.to_string());
        let is_clean = status.is_some_and(|it| it.success());
        let proof = is_clean.then(|| format!("{ended} after {took} ms"));
        Ok((format!("node {node} drained, {ended}"), proof))
    }

    async fn kill_draining_node(&mut self, node: usize) -> Result<Acted, LaunchError> {
        let process = &mut self.nodes[node].process;
        process.signal(Signal::TERM)?;
        // About half of the time that closing takes.
        let ended = process.ended(DRAIN_MIN / 2).await;
        let status = process.kill().await?;
        self.start_node_again(node).await?;
        let proof = ended.is_none().then(|| format!("still draining when killed, {status}"));
        Ok((format!("node {node} killed while it drained"), proof))
    }

    async fn kill_all_nodes(&mut self) -> Result<Acted, LaunchError> {
        let mut statuses = Vec::new();
        for node in &mut self.nodes {
            statuses.push(node.process.kill().await?);
        }
        let began = Instant::now();
        for node in &mut self.nodes {
            node.process.restart()?;
        }
        for node in 0..self.nodes.len() {
            self.node_ready(node).await?;
        }
        self.watch();
        let is_killed = statuses.iter().all(|it| is_killed(*it));
        let proof = format!("all ready again after {} ms", began.elapsed().as_millis());
        Ok(("all nodes killed".to_owned(), is_killed.then_some(proof)))
    }

    async fn skew_clock(&mut self, node: usize, lasting: Duration) -> Result<Acted, LaunchError> {
        let right = self.nodes[node].process.recipe().clone();
        let mut proofs = Vec::new();
        for seconds in [SKEW_SECONDS, -SKEW_SECONDS] {
            self.nodes[node].process.kill().await?;
            self.nodes[node].process = Launched::start(right.clone().at_a_wrong_time(seconds)?)?;
            self.node_ready(node).await?;
            self.watch();
            let off = clock_offset(self.nodes[node].internal).await?;
            proofs.push((off - seconds).abs() < SKEW_SECONDS / 10);
            sleep(lasting / 2).await;
        }
        self.nodes[node].process.kill().await?;
        self.nodes[node].process = Launched::start(right)?;
        self.node_ready(node).await?;
        self.watch();
        let is_skewed = proofs.into_iter().all(|it| it);
        let proof = is_skewed.then(|| "its answers were dated so".to_owned());
        Ok((format!("node {node}'s clock {SKEW_SECONDS} s fast, then slow"), proof))
    }

    async fn kill_redis(&mut self) -> Result<Acted, LaunchError> {
        let server = self.primary().await?;
        let Server { process, address } = &mut self.redis[server];
        let address = *address;
        let before = info(address, "run_id").await?;
        process.kill().await?;
        process.restart()?;
        self.redis_ready(server).await?;
        let after = info(address, "run_id").await?;
        let proof = (before != after).then(|| format!("run_id {before:.8} became {after:.8}"));
        Ok(("Redis killed and started again".to_owned(), proof))
    }

    async fn pause_redis(&self, lasting: Duration) -> Result<Acted, LaunchError> {
        let millis = lasting.as_millis().to_string();
        let address = self.primary_address().await?;
        order(address, &["CLIENT", "PAUSE", &millis, "ALL"]).await?;
        let began = Instant::now();
        ask(address, &["PING"]).await?;
        let waited = began.elapsed();
        let proof = (lasting.mul_f64(0.8) <= waited)
            .then(|| format!("a PING took {} ms", waited.as_millis()));
        Ok((format!("Redis paused for {millis} ms"), proof))
    }

    async fn sleep_redis(&self, lasting: Duration) -> Result<Acted, LaunchError> {
        let address = self.primary_address().await?;
        let began = Instant::now();
        order(address, &["DEBUG", "SLEEP", &lasting.as_secs().to_string()]).await?;
        let slept = began.elapsed();
        let proof = (lasting <= slept).then(|| format!("its answer took {} ms", slept.as_millis()));
        Ok((format!("Redis asleep for {} s", lasting.as_secs()), proof))
    }

    async fn reload_redis(&self) -> Result<Acted, LaunchError> {
        let address = self.primary_address().await?;
        let before = info(address, "rdb_last_save_time").await?;
        order(address, &["DEBUG", "RELOAD"]).await?;
        let after = info(address, "rdb_last_save_time").await?;
        let proof = (before != after).then(|| format!("saved at {after}, before that at {before}"));
        Ok(("Redis saved and loaded its data".to_owned(), proof))
    }

    async fn kill_pubsub(&self) -> Result<Acted, LaunchError> {
        let address = self.primary_address().await?;
        let killed = ask(address, &["CLIENT", "KILL", "TYPE", "pubsub"]).await?;
        let proof = match killed {
            Answer::Number(count @ 1..) => Some(format!("{count} connections closed")),
            Answer::Number(_) | Answer::Text(_) | Answer::Error(_) => None,
        };
        Ok(("subscribers killed".to_owned(), proof))
    }

    async fn fill_memory(&self, lasting: Duration) -> Result<Acted, LaunchError> {
        let address = self.primary_address().await?;
        order(address, &["CONFIG", "SET", "maxmemory", "1"]).await?;
        sleep(lasting).await;
        let refused = ask(address, &["SET", "loadtest:probe", "1"]).await;
        order(address, &["CONFIG", "SET", "maxmemory", "0"]).await?;
        let proof = match refused? {
            Answer::Error(error) if error.starts_with("OOM") => {
                Some("a SET was refused: OOM".to_owned())
            }
            Answer::Error(_) | Answer::Text(_) | Answer::Number(_) => None,
        };
        Ok((format!("Redis without memory for {} s", lasting.as_secs()), proof))
    }

    async fn partition(&self, node: usize, flow: Flow, lasting: Duration) -> Acted {
        let wire = &self.nodes[node].wire;
        let before = wire.held();
        wire.set(flow);
        sleep(lasting).await;
        let held = wire.held() - before;
        wire.set(Flow::OPEN);
        let which = match (flow.to_redis, flow.to_node) {
            (false, false) => "both ways",
            (false, true) => "towards Redis",
            (true, _) => "towards the node",
        };
        let what = format!("node {node} cut off from Redis {which} for {} s", lasting.as_secs());
        (what, (0 < held).then(|| format!("{held} pieces held back")))
    }
}

fn is_killed(status: ExitStatus) -> bool {
    status.signal() == Some(9)
}
