//! Whole nodes with their Redis, as processes: what a message costs with all that is done for it.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::serve::processor_micros;
use crate::talk::{SECRET, Talk};

/// 100,000 deliveries a second in one process.
const LARGE: Talk = Talk { nodes: 1, room: 100, a_second: 1_000, messages: 10_000 };
/// 4,000 messages a second, each between two nodes.
const SMALL: Talk = Talk { nodes: 2, room: 2, a_second: 4_000, messages: 40_000 };

/// Measures both and prints them: the nodes alone, and with their Redis.
pub(crate) fn row() {
    let large = LARGE.measure().map(|it| it / LARGE.deliveries() as f64);
    let small = SMALL.measure().map(|it| it / SMALL.messages as f64);
    println!("| whole nodes | {:.2} | {:.2} | |", large[0], small[0]);
    println!("| whole nodes and Redis | {:.2} | {:.2} | |", large[1], small[1]);
}

/// A child that ends with its guard.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ended = self.0.kill().is_ok() && self.0.wait().is_ok();
    }
}

impl Talk {
    /// Microseconds of processors: of all nodes, and of these and Redis.
    fn measure(&self) -> [f64; 2] {
        let dir = TempDir::new().unwrap();
        let redis = redis(dir.path());
        let addresses: Vec<SocketAddr> = (0..self.nodes).map(|_| free_address()).collect();
        let nodes: Vec<Process> = addresses.iter().map(|it| node(dir.path(), *it)).collect();
        addresses.iter().for_each(|it| until_listening(*it));

        let program = std::env::current_exe().unwrap();
        let mut command = Command::new(program);
        command.arg("talk").args(self.arguments()).args(addresses.iter().map(ToString::to_string));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut clients = Process(command.spawn().unwrap());
        let mut said = BufReader::new(clients.0.stdout.take().unwrap()).lines();
        let mut hears = |expected: &str| assert_eq!(said.next().unwrap().unwrap(), expected);
        hears("ready");
        // Until what opening took is over.
        std::thread::sleep(Duration::from_secs(1));
        let used = || {
            let nodes = nodes.iter().map(|it| processor_micros(it.0.id())).sum::<f64>();
            [nodes, nodes + processor_micros(redis.0.id())]
        };
        let before = used();
        clients.0.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
        hears("done");
        let after = used();
        [after[0] - before[0], after[1] - before[1]]
    }
}

fn redis(dir: &Path) -> Process {
    let mut command = Command::new("redis-server");
    command.args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"]);
    command.arg(dir.join("redis.sock")).arg("--dir").arg(dir);
    Process(command.stdout(File::create(dir.join("redis.log")).unwrap()).spawn().unwrap())
}

fn node(dir: &Path, address: SocketAddr) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_parlance"));
    command.current_dir(dir).env_clear();
    command.env("PARLANCE_REDIS__URL", format!("unix://{}", dir.join("redis.sock").display()));
    command.env("PARLANCE_AUTH__JWT_SECRET", SECRET);
    command.env("PARLANCE_ROOMS__POLICY", "open");
    command.env("PARLANCE_LIMITS__CONNECTIONS_PER_ADDRESS", "0");
    // After a pause of this machine clients make up for it: nobody is refused for that.
    command.env("PARLANCE_LIMITS__EVENTS_PER_SECOND", "0");
    command.env("PARLANCE_LISTEN", address.to_string());
    command.env("PARLANCE_INTERNAL_LISTEN", free_address().to_string());
    let log = File::create(dir.join(format!("node-{}.log", address.port()))).unwrap();
    command.stdout(log.try_clone().unwrap()).stderr(log);
    Process(command.spawn().unwrap())
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn until_listening(address: SocketAddr) {
    for _ in 0..1_000 {
        if TcpStream::connect(address).is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("no node at {address}");
}
