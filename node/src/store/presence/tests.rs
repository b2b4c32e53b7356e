//! Over a real Redis: each transition is told once, whatever is repeated, late or half done.

mod churn;
mod model;

use std::collections::BTreeMap;

use bytes::Bytes;
use fred::interfaces::{ConfigInterface, HashesInterface, KeysInterface};

use super::*;
use crate::domain::role::Role;
use crate::domain::topic::Topic;
use crate::store::Arrival;
use crate::store::test_redis::{Inbox, TestRedis, is_stale};

const ROOMS: usize = 20;

/// A node that is never killed: what it hears is what everybody hears.
const OBSERVER: u32 = 9;

fn user(n: usize) -> UserId {
    UserId::parse(&format!("user-{n}")).unwrap()
}

fn room(n: usize) -> RoomId {
    RoomId::parse(&format!("conv-{n}")).unwrap()
}

fn participant(user: &UserId) -> Participant {
    Participant {
        id: user.clone(),
        name: format!("The {user}: \0\n"),
        role: Role::Agent,
        full_name: None,
    }
}

/// What was told of each user, and of each user in each room.
#[derive(Debug, Default, PartialEq)]
struct Told {
    users: BTreeMap<UserId, Vec<(u64, Status)>>,
    pairs: BTreeMap<(RoomId, UserId), Vec<bool>>,
    spread: Vec<u32>,
}

impl Told {
    async fn hear(&mut self, inbox: &mut Inbox) {
        for arrival in inbox.arrivals().await {
            match arrival {
                Arrival::Presence(it) => {
                    self.users.entry(it.user).or_default().push((it.version, it.status));
                }
                Arrival::Signal(Topic::Room(room), Signal::Entered { user }) => {
                    assert_eq!(user, participant(&user.id));
                    self.pairs.entry((room, user.id)).or_default().push(true);
                }
                Arrival::Signal(Topic::Room(room), Signal::Left { user }) => {
                    self.pairs.entry((room, user)).or_default().push(false);
                }
                Arrival::Signal(Topic::User(_), Signal::Spread { nodes }) => {
                    self.spread.push(nodes);
                }
                other @ (Arrival::Entry(_) | Arrival::Signal(..)) => {
                    panic!("unexpected: {other:?}")
                }
            }
        }
    }

    fn statuses(&self, user: &UserId) -> Vec<Status> {
        self.users.get(user).into_iter().flatten().map(|(_, status)| *status).collect()
    }

    fn assert_versions_rise(&self) {
        for (user, told) in &self.users {
            assert!(told.windows(2).all(|two| two[0].0 < two[1].0), "{user}: {told:?}");
        }
    }
}

async fn keys_like(redis: &TestRedis, pattern: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut cursor = "0".to_owned();
    loop {
        let (next, keys): (String, Vec<String>) =
            redis.client.scan_page(cursor, pattern, Some(1000), None).await.unwrap();
        found.extend(keys);
        if next == "0" {
            return found;
        }
        cursor = next;
    }
}

/// Nothing is left of any life but the observer's, and nobody is anywhere.
async fn assert_nobody_is_left(redis: &TestRedis, prefix: &str, observer: &Shard, users: usize) {
    for what in ["nu", "nr", "r"] {
        let left = keys_like(redis, &format!("{prefix}:{{*}}:{what}:*")).await;
        let left: Vec<_> = left.iter().filter(|it| !it.ends_with(":m")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
    for counter in keys_like(redis, &format!("{prefix}:{{*}}:online")).await {
        let count: i64 = redis.client.get(&counter).await.unwrap();
        assert_eq!(count, 0, "{counter}");
    }
    let lives: Vec<String> = redis.client.hkeys(observer.keys.live()).await.unwrap();
    assert_eq!(lives, vec![observer.present().to_string()]);
    for n in 0..users {
        let bucket = observer.keys.user_bucket(&user(n));
        let entry: Option<String> = redis.client.hget(bucket, user(n).as_str()).await.unwrap();
        assert!(entry.is_none_or(|it| it.starts_with("0 ")), "user {n} is still counted");
    }
}

/// The observer hears these rooms.
async fn hear_rooms(redis: &TestRedis, observer: &Shard) {
    for n in 0..ROOMS {
        let interest = ("nodes", format!("{}=1;", observer.present()));
        let () = redis.client.hset(observer.keys.meta(&room(n)), interest).await.unwrap();
    }
}

#[tokio::test]
async fn a_reaper_killed_half_way_leaves_the_rest_to_the_next() {
    let redis = TestRedis::start().await;
    let observer = redis.node("p", OBSERVER, 1).await;
    let mut inbox = redis.inbox(&observer.keys, OBSERVER).await;
    hear_rooms(&redis, &observer).await;
    let (old, new) = (redis.node("p", 0, 1).await, redis.node("p", 0, 2).await);
    // More in one partition than one call takes.
    let partition = Partition::of_user(&user(0));
    let users: Vec<UserId> =
        (0..).map(user).filter(|it| Partition::of_user(it) == partition).take(700).collect();
    let pairs: Vec<_> = users.iter().map(|it| (room(0), participant(it))).collect();
    for (users, pairs) in users.chunks(500).zip(pairs.chunks(500)) {
        old.up(users).await.unwrap();
        old.enter(pairs).await.unwrap();
    }
    // The first user has come back to the node's next life.
    new.up(&users[..1]).await.unwrap();
    new.enter(&pairs[..1]).await.unwrap();
    redis.kill(&old).await;

    let life = old.present();
    assert!(reap_users(&observer, life, partition).await.unwrap());
    let left: u64 = redis.client.scard(observer.keys.life_users(partition, life)).await.unwrap();
    assert_eq!(left, 200);
    reap_life(&observer, life).await.unwrap();
    let row: Option<String> =
        redis.client.hget(observer.keys.live(), life.to_string()).await.unwrap();
    assert!(row.is_some(), "the life went before what it had");

    reap(&observer, life).await.unwrap();
    reap(&observer, life).await.unwrap();
    let mut told = Told::default();
    told.hear(&mut inbox).await;
    assert_eq!(told.statuses(&users[0]), [Status::Online]);
    assert_eq!(told.pairs[&(room(0), users[0].clone())], [true]);
    for user in &users[1..] {
        assert_eq!(told.statuses(user), [Status::Online, Status::Offline]);
        assert_eq!(told.pairs[&(room(0), user.clone())], [true, false]);
    }
    let roster: BTreeMap<String, Bytes> =
        redis.client.hgetall(observer.keys.roster(&room(0))).await.unwrap();
    let entry = &roster[users[0].as_str()];
    assert_eq!(&entry[..2], b"1:");
    let stored: Participant = rmp_serde::from_slice(&entry[2..]).unwrap();
    assert_eq!((roster.len(), stored), (1, participant(&users[0])));

    new.down(&users[..1]).await.unwrap();
    new.exit(&[(room(0), users[0].clone())]).await.unwrap();
    redis.kill(&new).await;
    reap(&observer, new.present()).await.unwrap();
    assert_nobody_is_left(&redis, "p", &observer, 700).await;
}

#[tokio::test]
async fn who_hears_a_user_is_told_on_how_many_nodes_the_user_is() {
    let redis = TestRedis::start().await;
    let (one, two) = (redis.node("p", 1, 1).await, redis.node("p", 2, 1).await);
    let mut inboxes = [redis.inbox(&one.keys, 1).await, redis.inbox(&two.keys, 2).await];
    let interest = format!("0.7=3;{}=1;", one.present());
    let key = one.keys.user_interest(&user(0));
    let () = redis.client.set(key, interest, None, None, false).await.unwrap();
    for node in [&one, &two, &two] {
        node.up(&[user(0)]).await.unwrap();
    }
    for node in [&one, &one, &two] {
        node.down(&[user(0)]).await.unwrap();
    }
    let mut told = [Told::default(), Told::default()];
    told[0].hear(&mut inboxes[0]).await;
    told[1].hear(&mut inboxes[1]).await;
    assert_eq!((told[0].spread.as_slice(), told[1].spread.as_slice()), (&[1, 2, 1][..], &[][..]));
    assert_eq!(told[0].users, told[1].users);
}

#[tokio::test]
async fn presence_goes_on_when_redis_is_full() {
    let redis = TestRedis::start().await;
    let node = redis.node("p", 0, 1).await;
    let () = redis.client.config_set("maxmemory", "1").await.unwrap();
    node.up(&[user(0)]).await.unwrap();
    node.enter(&[(room(0), participant(&user(0)))]).await.unwrap();
    node.set_status(&user(0), Status::Away).await.unwrap();
    assert_eq!(node.presence(&[user(0)]).await.unwrap()[0].status, Status::Away);
    node.exit(&[(room(0), user(0))]).await.unwrap();
    node.down(&[user(0)]).await.unwrap();
    assert_eq!(node.presence(&[user(0), user(1)]).await.unwrap()[0].status, Status::Offline);
    assert_eq!(node.presence(&[]).await.unwrap(), []);
}

#[tokio::test]
async fn who_left_weeks_ago_is_forgotten_and_nobody_else() {
    let redis = TestRedis::start().await;
    let node = redis.node("p", 0, 1).await;
    let bucket = node.keys.user_bucket(&user(0));
    let long_ago = 1_700_000_000_000_u64;
    let others = BTreeMap::from([
        ("gone", format!("0 {long_ago} offline {long_ago}")),
        ("stays", format!("1 {long_ago} online {long_ago}")),
        ("left", format!("0 {long_ago} offline 9999999999999")),
    ]);
    let () = redis.client.hset(&bucket, others).await.unwrap();
    // Each departure looks at one of four: 300 looks miss one of them once in 10^37 runs.
    for _ in 0..300 {
        node.up(&[user(0)]).await.unwrap();
        node.down(&[user(0)]).await.unwrap();
    }
    let mut left: Vec<String> = redis.client.hkeys(&bucket).await.unwrap();
    left.sort();
    assert_eq!(left, ["left", "stays", "user-0"]);
}
