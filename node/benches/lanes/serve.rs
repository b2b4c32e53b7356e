//! The process that is measured.

use std::io::Write;
use std::net::TcpListener;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use parlance::auth::Identity;
use parlance::dialect::{Frame, Venue};
use parlance::domain::id::UserId;
use parlance::domain::role::{Actor, Participant, Role};
use parlance::domain::time::Timestamp;
use parlance::gateway::config::Config;
use parlance::gateway::{Behind, Gateway};
use parlance::hub::outbox::{Outbox, Outgoing};
use parlance::lifecycle::Lifecycle;
use parlance::session::peer::Peer;
use parlance::telemetry::audit::Audit;
use serde_json::value::RawValue;
use tokio::time::sleep;

use crate::CLIENTS;
use crate::clients::MARK;

/// Messages into rooms of 100 and of 2, one a millisecond and four.
const LARGE: Phase = Phase { room: 100, messages: 3_000, at_once: 1 };
const SMALL: Phase = Phase { room: 2, messages: 20_000, at_once: 4 };

struct Phase {
    room: usize,
    messages: usize,
    at_once: usize,
}

impl Phase {
    fn deliveries(&self) -> usize {
        self.room * self.messages
    }
}

/// Those who hear.
enum Audience {
    Sockets(Vec<std::net::TcpStream>),
    Outboxes(Vec<Outbox>),
}

/// Measures one row and prints it.
pub(crate) fn row(row: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (mut clients, before, audience) =
            if row == "limit" { limit() } else { lane(row).await };
        let idle = (resident_kib() - before) / CLIENTS as f64;
        let large = play(&LARGE, &audience).await / LARGE.deliveries() as f64;
        let small = play(&SMALL, &audience).await / SMALL.messages as f64;
        assert!(clients.wait().unwrap().success(), "the clients heard less");
        println!("| {row} | {large:.2} | {small:.2} | {idle:.1} |");
    });
}

/// Plain connections, written by one thread: nothing can be cheaper.
fn limit() -> (Child, f64, Audience) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let before = resident_kib();
    let clients = listen("limit", &listener.local_addr().unwrap().to_string());
    let sockets = (0..CLIENTS).map(|_| {
        let (socket, _) = listener.accept().unwrap();
        socket.set_nodelay(true).unwrap();
        socket
    });
    (clients, before, Audience::Sockets(sockets.collect()))
}

/// A gateway whose sessions do nothing.
async fn lane(row: &str) -> (Child, f64, Audience) {
    let mut config = Config { listen: "127.0.0.1:0".parse().unwrap(), ..Config::default() };
    config.limits.connections_per_address = 0;
    let (lifecycle, outboxes) = (Lifecycle::default(), Arc::new(Mutex::new(Vec::new())));
    let (tasks, opened) = (lifecycle.clone(), Arc::clone(&outboxes));
    let (audit, _records) = Audit::new();
    let behind = Behind {
        audit,
        venues: vec![Venue::Namespace("/conversation".into())],
        cookies: Vec::new(),
        authenticate: Arc::new(|_| Ok(Some(somebody()))),
        open: Arc::new(move |mut peer: Peer| {
            if let Some(opening) = peer.opening.take() {
                opening.accept(None);
            }
            opened.lock().unwrap().push(peer.outbox.clone());
            tasks.spawn("session", async move { while peer.inbox.next().await.is_some() {} });
            Ok(Arc::from("bench"))
        }),
        takes_files: Arc::new(|_, _| false),
    };
    let gateway = Gateway::new(config, behind, lifecycle.clone());
    let listener = gateway.listen().await.unwrap();
    let address = listener.address().unwrap().to_string();
    lifecycle.spawn("listener", listener.serve(gateway.router(Router::new()), lifecycle.clone()));
    let before = resident_kib();
    let clients = listen(row, &address);
    while outboxes.lock().unwrap().len() < CLIENTS {
        sleep(Duration::from_millis(10)).await;
    }
    // Until what opening took is given back.
    sleep(Duration::from_secs(1)).await;
    let audience = Audience::Outboxes(outboxes.lock().unwrap().clone());
    (clients, before, audience)
}

fn somebody() -> Identity {
    let id = UserId::parse("alice").unwrap();
    let participant =
        Participant { id, name: "Alice".to_owned(), role: Role::User, full_name: None };
    let actor = Actor { participant, is_named: true, grants: Vec::new(), departments: Vec::new() };
    Identity { actor, expires_at: Timestamp(u64::MAX), token: None, issued_at: None }
}

fn listen(row: &str, address: &str) -> Child {
    let deliveries = (LARGE.deliveries() + SMALL.deliveries()).to_string();
    let program = std::env::current_exe().unwrap();
    Command::new(program).args(["listen", row, address, &deliveries]).spawn().unwrap()
}

/// Microseconds of this process's processors for one phase.
async fn play(phase: &Phase, audience: &Audience) -> f64 {
    let used = || processor_micros(std::process::id());
    let before = used();
    let rooms = CLIENTS / phase.room;
    for message in 0..phase.messages {
        let members = (message % rooms) * phase.room..(message % rooms + 1) * phase.room;
        match audience {
            Audience::Sockets(sockets) => {
                let frame = [&[0x81, 120][..], &MARK, &[b'x'; 118]].concat();
                for socket in &sockets[members] {
                    (&mut &*socket).write_all(&frame).unwrap();
                }
            }
            Audience::Outboxes(outboxes) => {
                let frame = Arc::new(frame());
                for outbox in &outboxes[members] {
                    outbox.push(Outgoing::Event(Arc::clone(&frame))).expect("it keeps up");
                }
            }
        }
        if (message + 1) % phase.at_once == 0 {
            sleep(Duration::from_millis(1)).await;
        }
    }
    sleep(Duration::from_millis(500)).await;
    used() - before
}

/// 120 bytes as a packet, with the mark in it: `42/conversation,["message:new","~xx…"]`.
fn frame() -> Frame {
    let around = r#"42/conversation,["message:new",""]"#.len() + 1;
    let payload = format!("\"~{}\"", "x".repeat(120 - around));
    Frame::new("message:new".into(), RawValue::from_string(payload).unwrap())
}

fn resident_kib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// User and system time of all threads of a process; the kernel counts hundredths of a second.
pub(crate) fn processor_micros(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = fields[11..13].iter().map(|it| it.parse::<f64>().unwrap()).sum();
    ticks * 10_000.0
}
