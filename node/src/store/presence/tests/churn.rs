//! Many users with several devices on nodes that die, everything at once.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use super::*;

/// A small generator of numbers (splitmix64), so that a failure can be repeated.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }
}

const USERS: usize = 1000;

/// Each user's three devices: on which node each is connected.
struct Devices([Vec<Option<usize>>; 3]);

impl Devices {
    fn users_on(&self, node: usize) -> BTreeSet<usize> {
        let on = |user: &usize| self.0.iter().any(|homes| homes[*user] == Some(node));
        (0..USERS).filter(on).collect()
    }

    fn is_on(&self, user: usize) -> bool {
        self.0.iter().any(|homes| homes[user].is_some())
    }
}

/// A node tells Redis what has changed since it last did, some of it twice.
async fn tell(node: &Shard, before: &BTreeSet<usize>, now: &BTreeSet<usize>, twice: bool) {
    let came: Vec<UserId> = now.difference(before).map(|n| user(*n)).collect();
    let went: Vec<UserId> = before.difference(now).map(|n| user(*n)).collect();
    let entered: Vec<_> = now
        .difference(before)
        .flat_map(|n| {
            [(room(n % ROOMS), participant(&user(*n))), (room(n % 7), participant(&user(*n)))]
        })
        .collect();
    let left: Vec<_> = before
        .difference(now)
        .flat_map(|n| [(room(n % ROOMS), user(*n)), (room(n % 7), user(*n))])
        .collect();
    for _ in 0..=usize::from(twice) {
        node.exit(&left).await.unwrap();
        node.down(&went).await.unwrap();
        node.up(&came).await.unwrap();
        node.enter(&entered).await.unwrap();
    }
}

struct Churn {
    redis: TestRedis,
    numbers: Numbers,
    /// Two nodes that are never killed.
    observers: [Shard; 2],
    nodes: Vec<Shard>,
    devices: Devices,
    /// Which users each node has told of.
    told: [BTreeSet<usize>; 3],
    dead: Vec<Shard>,
}

impl Churn {
    async fn start() -> Self {
        let redis = TestRedis::start().await;
        let observers =
            [redis.node("p", OBSERVER, 1).await, redis.node("p", OBSERVER + 1, 1).await];
        hear_rooms(&redis, &observers[0]).await;
        let mut nodes = Vec::new();
        for index in 0..3 {
            nodes.push(redis.node("p", index, 1).await);
        }
        Self {
            redis,
            numbers: Numbers(7),
            observers,
            nodes,
            devices: Devices([vec![None; USERS], vec![None; USERS], vec![None; USERS]]),
            told: Default::default(),
            dead: Vec::new(),
        }
    }

    /// Devices come, go and move; meanwhile a reaper begins, and is killed wherever it is.
    async fn mingle(&mut self) {
        for _ in 0..400 {
            let home = (self.numbers.below(3) < 2).then(|| self.numbers.below(3));
            self.devices.0[self.numbers.below(3)][self.numbers.below(USERS)] = home;
        }
        let now = [0, 1, 2].map(|node| self.devices.users_on(node));
        let twice = self.numbers.below(3) == 0;
        let telling = join_all((0..3).map(|n| tell(&self.nodes[n], &self.told[n], &now[n], twice)));
        let killed_after = Duration::from_micros(self.numbers.below(20_000) as u64);
        let reaping = timeout(killed_after, async {
            for dead in &self.dead {
                reap(&self.observers[0], dead.present()).await.unwrap();
            }
        });
        let (_, _done_or_killed) = tokio::join!(telling, reaping);
        self.told = now;
    }

    /// A node dies with all its connections, and its next life begins.
    async fn kill(&mut self, incarnation: u64) {
        let victim = self.numbers.below(3);
        let index = self.nodes[victim].present().index;
        let next = self.redis.node("p", index, incarnation).await;
        let old = std::mem::replace(&mut self.nodes[victim], next);
        // Its last call is in time, or too late; who comes with it goes with it.
        let last = [user(self.numbers.below(USERS))];
        let ((), last) = tokio::join!(self.redis.kill(&old), old.up(&last));
        assert!(last.is_ok() || is_stale(last));
        for homes in &mut self.devices.0 {
            homes.iter_mut().filter(|it| **it == Some(victim)).for_each(|it| *it = None);
        }
        self.told[victim].clear();
        self.dead.push(old);
    }

    /// Two reapers at once finish all work; then presence is what the devices are.
    async fn settle(&mut self) {
        let [one, two] = &self.observers;
        for dead in self.dead.drain(..) {
            let life = dead.present();
            let (first, second) = tokio::join!(reap(one, life), reap(two, life));
            first.and(second).unwrap();
        }
        let users: Vec<UserId> = (0..USERS).map(user).collect();
        for (n, presence) in two.presence(&users).await.unwrap().iter().enumerate() {
            assert_eq!(presence.status == Status::Online, self.devices.is_on(n), "user {n}");
        }
    }

    /// Everybody goes.
    async fn end(&mut self) {
        let nobody = BTreeSet::new();
        for (node, told) in self.nodes.iter().zip(&self.told) {
            tell(node, told, &nobody, false).await;
            self.redis.kill(node).await;
            reap(&self.observers[1], node.present()).await.unwrap();
        }
        let [one, two] = &self.observers;
        self.redis.kill(two).await;
        reap(one, two.present()).await.unwrap();
        assert_nobody_is_left(&self.redis, "p", one, USERS).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_users_with_three_devices_come_and_go_once_per_version_while_nodes_die() {
    let mut churn = Churn::start().await;
    let mut inboxes = Vec::new();
    for node in &churn.observers {
        inboxes.push(churn.redis.inbox(&node.keys, node.present().index).await);
    }
    for round in 1..=60 {
        churn.mingle().await;
        if churn.numbers.below(4) == 0 {
            churn.kill(round + 1).await;
        }
        if round % 10 == 0 {
            churn.settle().await;
        }
    }
    churn.settle().await;
    churn.end().await;

    let mut told = [Told::default(), Told::default()];
    told[0].hear(&mut inboxes[0]).await;
    told[1].hear(&mut inboxes[1]).await;
    assert_eq!(told[0].users, told[1].users);
    assert!(told[1].pairs.is_empty(), "only the first hears the rooms");
    told[0].assert_versions_rise();
    assert_eq!(told[0].users.len(), USERS);
    for (user, told) in &told[0].users {
        let shown: Vec<bool> = told.iter().map(|(_, status)| *status == Status::Online).collect();
        assert!(come_and_go(&shown), "{user}: {told:?}");
    }
    for (pair, told) in &told[0].pairs {
        assert!(come_and_go(told), "{pair:?}: {told:?}");
    }
}

/// Whether whoever came has gone, each time once.
fn come_and_go(told: &[bool]) -> bool {
    told.chunks(2).all(|two| two == [true, false])
}
