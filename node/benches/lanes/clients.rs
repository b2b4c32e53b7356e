//! Clients that connect, count what they hear, and say nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::CLIENTS;

/// Where the lean lane is.
pub(crate) const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

/// These two characters stand side by side once in each message, and nowhere else.
pub(crate) const MARK: [u8; 2] = *b"~x";

/// Counts messages in what one connection reads, however it is cut.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// The last byte so far.
    last: u8,
}

impl Marks {
    pub(crate) fn count(&mut self, bytes: &[u8]) -> usize {
        let mut found = 0;
        for byte in bytes {
            found += usize::from([self.last, *byte] == MARK);
            self.last = *byte;
        }
        found
    }
}

/// Opens all connections, and returns when so many messages were heard.
pub(crate) fn listen(row: &str, address: &str, deliveries: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let heard = Arc::new(AtomicUsize::new(0));
        let done = Arc::new(Notify::new());
        let mut tasks = JoinSet::new();
        for _ in 0..CLIENTS {
            let mut stream = connect(row, address).await;
            let (heard, done) = (Arc::clone(&heard), Arc::clone(&done));
            tasks.spawn(async move {
                let (mut bytes, mut marks) = ([0; 4096], Marks::default());
                while let Ok(read @ 1..) = stream.read(&mut bytes).await {
                    let marks = marks.count(&bytes[..read]);
                    if heard.fetch_add(marks, Ordering::Relaxed) + marks == deliveries {
                        done.notify_one();
                    }
                }
            });
        }
        done.notified().await;
    });
}

async fn connect(row: &str, address: &str) -> TcpStream {
    const CONNECT: &str = r#"40/conversation,{"token":"good"}"#;
    match row {
        "limit" => TcpStream::connect(address).await.unwrap(),
        "lean" => {
            let mut stream = upgrade(address, WEBSOCKET).await;
            send(&mut stream, CONNECT).await;
            stream
        }
        "engine" => {
            let mut stream = TcpStream::connect(address).await.unwrap();
            request(&mut stream, "/socket.io/?EIO=4&transport=polling", "connection: close").await;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            let session = answer.split("\"sid\":\"").nth(1).unwrap().split('"').next().unwrap();
            let mut stream = upgrade(address, &format!("{WEBSOCKET}&sid={session}")).await;
            send(&mut stream, "2probe").await;
            until(&mut stream, b"3probe").await;
            send(&mut stream, "5").await;
            send(&mut stream, CONNECT).await;
            stream
        }
        _ => panic!("unknown row {row}"),
    }
}

pub(crate) async fn upgrade(address: &str, target: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let headers = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==";
    request(&mut stream, target, headers).await;
    until(&mut stream, b"\r\n\r\n").await;
    stream
}

async fn request(stream: &mut TcpStream, target: &str, headers: &str) {
    let head = format!("GET {target} HTTP/1.1\r\nhost: bench\r\n{headers}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
}

/// Reads up to the end of `wanted`.
pub(crate) async fn until(stream: &mut TcpStream, wanted: &[u8]) {
    let mut read = Vec::new();
    while !read.ends_with(wanted) {
        read.push(stream.read_u8().await.unwrap());
    }
}

/// One text frame, masked with zeros.
pub(crate) async fn send(stream: &mut (impl AsyncWrite + Unpin), text: &str) {
    let mut frame = vec![0x81];
    match u8::try_from(text.len()) {
        Ok(len @ ..126) => frame.push(0x80 | len),
        _ => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(text.as_bytes());
    stream.write_all(&frame).await.unwrap();
}
