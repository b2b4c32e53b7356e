//! Random steps of three nodes, one after the other, against a model.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Up(usize, BTreeSet<usize>),
    Down(usize, BTreeSet<usize>),
    SetStatus(usize, usize, Status),
    /// The node dies; its next life begins.
    Kill(usize),
    /// A reaper works through some partitions of every dead life, and stops.
    ReapSome(u16),
    /// A reaper finishes.
    Reap,
    /// A call of a dead life arrives late.
    LateUp(BTreeSet<usize>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let users = || prop::collection::btree_set(0..5_usize, 1..5);
    let status =
        prop::sample::select(vec![Status::Online, Status::Away, Status::Busy, Status::Offline]);
    let step = prop_oneof![
        4 => (0..3_usize, users()).prop_map(|(node, users)| Step::Up(node, users)),
        4 => (0..3_usize, users()).prop_map(|(node, users)| Step::Down(node, users)),
        2 => (0..3_usize, 0..5_usize, status).prop_map(|(n, u, s)| Step::SetStatus(n, u, s)),
        1 => (0..3_usize).prop_map(Step::Kill),
        1 => any::<u16>().prop_map(Step::ReapSome),
        1 => Just(Step::Reap),
        1 => users().prop_map(Step::LateUp),
    ];
    prop::collection::vec(step, 1..50)
}

/// What the cluster's presence has to be, kept as plainly as possible.
#[derive(Default)]
struct Model {
    /// Which lives have which users.
    on: BTreeSet<(NodeLife, usize)>,
    seen_as: BTreeMap<usize, Status>,
    told: BTreeMap<usize, Vec<Status>>,
}

impl Model {
    fn is_on(&self, user: usize) -> bool {
        self.on.iter().any(|(_, it)| *it == user)
    }

    fn show(&mut self, user: usize, status: Status) {
        if self.seen_as.insert(user, status).unwrap_or(Status::Offline) != status {
            self.told.entry(user).or_default().push(status);
        }
    }

    fn up(&mut self, life: NodeLife, user: usize) {
        let was_on = self.is_on(user);
        self.on.insert((life, user));
        if !was_on {
            self.show(user, Status::Online);
        }
    }

    fn down(&mut self, life: NodeLife, user: usize) {
        if self.on.remove(&(life, user)) && !self.is_on(user) {
            self.show(user, Status::Offline);
        }
    }
}

struct Run<'a> {
    redis: &'a TestRedis,
    prefix: String,
    nodes: Vec<Shard>,
    dead: Vec<Shard>,
    incarnation: u64,
    model: Model,
}

impl Run<'_> {
    async fn step(&mut self, step: &Step) {
        let some = |users: &BTreeSet<usize>| users.iter().map(|n| user(*n)).collect::<Vec<_>>();
        match step {
            Step::Up(node, users) => {
                self.nodes[*node].up(&some(users)).await.unwrap();
                let life = self.nodes[*node].present();
                users.iter().for_each(|user| self.model.up(life, *user));
            }
            Step::Down(node, users) => {
                self.nodes[*node].down(&some(users)).await.unwrap();
                let life = self.nodes[*node].present();
                users.iter().for_each(|user| self.model.down(life, *user));
            }
            Step::SetStatus(node, n, status) => {
                self.nodes[*node].set_status(&user(*n), *status).await.unwrap();
                if self.model.is_on(*n) {
                    self.model.show(*n, *status);
                }
            }
            Step::Kill(node) => {
                self.incarnation += 1;
                let index = self.nodes[*node].present().index;
                let next = self.redis.node(&self.prefix, index, self.incarnation).await;
                let old = std::mem::replace(&mut self.nodes[*node], next);
                assert!(reap(&old, old.present()).await.is_err(), "a living node was reaped");
                self.redis.kill(&old).await;
                self.dead.push(old);
            }
            Step::ReapSome(mask) => {
                for dead in &self.dead {
                    let some = Partition::all().zip(0..).filter(|(_, bit)| mask >> bit & 1 == 1);
                    for (of, _) in some {
                        reap_users(&self.nodes[0], dead.present(), of).await.unwrap();
                        for n in (0..5).filter(|n| Partition::of_user(&user(*n)) == of) {
                            self.model.down(dead.present(), n);
                        }
                    }
                }
            }
            Step::Reap => {
                for dead in self.dead.drain(..) {
                    reap(&self.nodes[0], dead.present()).await.unwrap();
                    (0..5).for_each(|n| self.model.down(dead.present(), n));
                }
            }
            Step::LateUp(users) => {
                for dead in &self.dead {
                    assert!(is_stale(dead.up(&some(users)).await));
                    assert!(is_stale(dead.down(&some(users)).await));
                    assert!(is_stale(dead.set_status(&user(0), Status::Busy).await));
                }
            }
        }
    }
}

#[test]
fn presence_is_told_as_the_model_says() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let redis = runtime.block_on(TestRedis::start());
    let cases = Cell::new(0);
    let config = ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() };
    let outcome = TestRunner::new(config).run(&steps(), |steps| {
        cases.set(cases.get() + 1);
        runtime.block_on(check_steps(&redis, &format!("p{}", cases.get()), &steps));
        Ok(())
    });
    outcome.unwrap();
}

async fn check_steps(redis: &TestRedis, prefix: &str, steps: &[Step]) {
    let observer = redis.node(prefix, OBSERVER, 1).await;
    let mut inbox = redis.inbox(&observer.keys, OBSERVER).await;
    let mut nodes = Vec::new();
    for index in 0..3 {
        nodes.push(redis.node(prefix, index, 1).await);
    }
    let mut run = Run {
        redis,
        prefix: prefix.to_owned(),
        nodes,
        dead: Vec::new(),
        incarnation: 1,
        model: Model::default(),
    };
    let mut told = Told::default();
    let users: Vec<UserId> = (0..5).map(user).collect();
    for step in steps.iter().chain(&[Step::Kill(0), Step::Kill(1), Step::Kill(2), Step::Reap]) {
        run.step(step).await;
        told.hear(&mut inbox).await;
        for (n, presence) in observer.presence(&users).await.unwrap().iter().enumerate() {
            let expected = run.model.told.get(&n).cloned().unwrap_or_default();
            assert_eq!(told.statuses(&user(n)), expected, "user {n} after {step:?}");
            assert_eq!(presence.status, expected.last().copied().unwrap_or(Status::Offline));
            let newest = told.users.get(&user(n)).and_then(|it| it.last());
            assert_eq!(presence.version, newest.map_or(0, |it| it.0));
        }
    }
    told.assert_versions_rise();
    for node in &run.nodes {
        redis.kill(node).await;
        reap(&observer, node.present()).await.unwrap();
    }
    assert_nobody_is_left(redis, prefix, &observer, 5).await;
}
