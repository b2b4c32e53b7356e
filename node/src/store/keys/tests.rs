//! Where keys lie, and that the documentation knows them all.

use std::collections::BTreeSet;

use super::*;

/// The slot of a hash tag, as the cluster specification defines it (CRC16/XMODEM).
fn slot(tag: &str) -> u32 {
    let crc = tag.bytes().fold(0_u32, |crc, byte| {
        (0..8).fold(crc ^ (u32::from(byte) << 8), |crc, _| {
            let shifted = crc << 1;
            (if crc & 0x8000 == 0 { shifted } else { shifted ^ 0x1021 }) & 0xffff
        })
    });
    crc % 16_384
}

#[test]
fn each_partition_lies_in_its_own_sixteenth_of_the_slots() {
    for (i, tag) in (0..).zip(TAGS) {
        assert_eq!(slot(tag) / 1024, i, "{tag}");
    }
    assert_eq!(slot("123456789"), 0x31c3);
}

#[test]
fn a_bucket_of_users_lies_in_one_partition() {
    let keys = Keys::new("p");
    let buckets: BTreeSet<(String, String)> = (0..20_000)
        .map(|n| UserId::parse(&format!("user-{n}")).unwrap())
        .map(|user| keys.user_bucket(&user))
        .map(|key| {
            let (tag, bucket) = key.split_once(":ub:").unwrap();
            (bucket.to_owned(), tag.to_owned())
        })
        .collect();
    let names: BTreeSet<&String> = buckets.iter().map(|(bucket, _)| bucket).collect();
    assert_eq!(names.len(), buckets.len());
    assert!(4000 < names.len());
}

#[test]
fn names_stay_what_they_are() {
    let keys = Keys::new("parlance");
    let room = RoomId::parse("conv-1").unwrap();
    let user = UserId::parse("alice").unwrap();
    let life = NodeLife { index: 3, incarnation: 17 };
    assert_eq!(keys.generation(), "parlance:{18}:gen");
    assert_eq!(keys.inbox(7), "parlance:{18}:in:7");
    assert_eq!(keys.meta(&room), format!("parlance:{}:r:conv-1:m", Partition::of_room(&room)));
    assert_eq!(keys.life_users(Partition(2), life), "parlance:{0f}:nu:3.17");
    assert_eq!(keys.interest(&Topic::User(user.clone())), keys.user_interest(&user));
    assert_eq!(keys.nodes(), "parlance:{ctl}:nodes");
}

/// Each key and channel with its type, as the tables of `docs/redis.md` write them.
fn shapes() -> BTreeSet<(String, &'static str)> {
    let keys = Keys::new("P");
    let room = RoomId::parse("ROOM").unwrap();
    let user = UserId::parse("USER").unwrap();
    let life = NodeLife { index: 1, incarnation: 2 };
    let (of_room, of_user) = (Partition::of_room(&room), Partition::of_user(&user));
    let pid = Pid::random();
    let of_pid = Partition::nth(xxh3_64(pid.expose().as_bytes()));
    let bucket = keys.user_bucket(&user);
    let (_, bucket_number) = bucket.rsplit_once(':').unwrap();
    let shape = |(key, kind): (String, &'static str)| {
        let shape = [Partition(0), of_room, of_user, of_pid]
            .iter()
            .fold(key, |key, tag| key.replace(&tag.to_string(), "T"))
            .replace(&format!(":ub:{bucket_number}"), ":ub:<bucket>")
            .replace("ROOM", "<room>")
            .replace(&pid.expose(), "<pid>")
            .replace("USER", "<user>")
            .replace("WHAT", "<what>")
            .replace(&format!("{:032x}", 7), "<hash>")
            .replace(&Uuid::nil().to_string(), "<question>")
            .replace("1.2", "<life>")
            .replace("in:7", "in:<index>");
        (shape, kind)
    };
    BTreeSet::from_iter(
        [
            (keys.generation(), "HASH"),
            (keys.live(), "HASH"),
            (keys.inbox_counters(), "HASH"),
            (keys.meta(&room), "HASH"),
            (keys.log(&room), "STREAM"),
            (keys.recent(&room, Half::Even), "HASH"),
            (keys.recent(&room, Half::Odd), "HASH"),
            (keys.marks(&room), "HASH"),
            (keys.roster(&room), "HASH"),
            (keys.bars(&room), "HASH"),
            (keys.members(&room), "HASH"),
            (keys.redacted(&room), "HASH"),
            (keys.bars_everywhere(), "HASH"),
            (keys.feed(), "STREAM"),
            (keys.request(7), "STRING"),
            (keys.answers(Uuid::nil()), "LIST"),
            (keys.rooms(of_room), "ZSET"),
            (keys.active_rooms(of_room), "SET"),
            (keys.online_count(of_user), "STRING"),
            (keys.listed(of_room), "ZSET"),
            (keys.news(&room), "STRING"),
            (keys.life_rooms(of_room, life), "SET"),
            (keys.life_users(of_user, life), "SET"),
            (bucket.clone(), "HASH"),
            (keys.user_interest(&user), "STRING"),
            (keys.limit(&user, "WHAT"), "LIST"),
            (keys.recovery(pid), "HASH"),
            (keys.revoked(), "ZSET"),
            (keys.audit(), "STREAM"),
            (keys.nodes(), "HASH"),
            (keys.control(), "HASH"),
            (keys.inbox(7), "channel"),
        ]
        .map(shape),
    )
}

#[test]
fn the_documentation_names_every_key_and_no_other() {
    let text = include_str!("../../../../docs/redis.md");
    let (tables, channels) = text.split_once("## Channels").unwrap();
    let cells = |line: &str| -> Vec<String> {
        line.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
    };
    let rows = |text: &str| -> Vec<Vec<String>> {
        text.lines().filter(|line| line.starts_with("| `P:")).map(cells).collect()
    };
    let mut documented: BTreeSet<(String, String)> =
        rows(tables).into_iter().map(|row| (row[1].clone(), row[2].clone())).collect();
    documented.extend(rows(channels).into_iter().map(|row| (row[1].clone(), "channel".to_owned())));
    let made: BTreeSet<(String, String)> =
        shapes().into_iter().map(|(key, kind)| (key, kind.to_owned())).collect();
    assert_eq!(documented, made);
}

#[test]
fn the_documentation_names_every_script() {
    let text = include_str!("../../../../docs/redis.md");
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/lua")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let script = name.strip_suffix(".lua").unwrap();
        assert!(text.contains(&format!("`{script}`")), "{name} is not described");
    }
}
