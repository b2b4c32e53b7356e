//! Clients that speak the protocol by hand.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// What serves a client: each scene with a WebSocket is played over both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// The lean one, for clients that open a WebSocket at once.
    Lean,
    /// The engine's, for those that begin with polling and upgrade.
    Engine,
}

/// Both.
pub(crate) const LANES: [Lane; 2] = [Lane::Lean, Lane::Engine];

/// A client over a WebSocket, message by message.
pub(crate) struct RawClient {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl RawClient {
    /// Opens a session.
    pub(crate) async fn open(lane: Lane, address: &str) -> Self {
        let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
        match lane {
            Lane::Lean => {
                let mut client = Self { socket: connect_async(url).await.unwrap().0 };
                assert!(client.next().await.unwrap().starts_with("0{"));
                client
            }
            Lane::Engine => {
                let session = open_polling(address).await;
                let url = format!("{url}&sid={session}");
                let mut client = Self { socket: connect_async(url).await.unwrap().0 };
                client.send("2probe").await;
                assert_eq!(client.next().await.unwrap(), "3probe");
                client.send("5").await;
                client
            }
        }
    }

    /// Opens a WebSocket at `path`, with further header lines.
    pub(crate) async fn at(address: &str, path: &str, headers: &[(&'static str, &str)]) -> Self {
        let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        Self { socket: connect_async(request).await.unwrap().0 }
    }

    /// Opens a session and connects to `/conversation`.
    pub(crate) async fn connect(lane: Lane, address: &str) -> Self {
        let mut client = Self::open(lane, address).await;
        client.send(r#"40/conversation,{"token":"good"}"#).await;
        let answer = client.next().await.unwrap();
        assert!(answer.starts_with("40/conversation,{"), "{answer}");
        client
    }

    pub(crate) async fn send(&mut self, packet: &str) {
        self.send_message(Message::text(packet)).await;
    }

    /// Sends anything that a WebSocket carries.
    pub(crate) async fn send_message(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    /// Sends something to a server that may close while it comes.
    pub(crate) async fn try_send_message(&mut self, message: Message) {
        let _sent = self.socket.send(message).await.is_ok();
    }

    /// Sends packets in one write.
    pub(crate) async fn send_burst(&mut self, packets: impl IntoIterator<Item = String>) {
        for packet in packets {
            self.socket.feed(Message::text(packet)).await.unwrap();
        }
        self.socket.flush().await.unwrap();
    }

    /// The next packet but pings, which it answers; `None`: the connection is closed.
    pub(crate) async fn next(&mut self) -> Option<String> {
        loop {
            let message = timeout(Duration::from_secs(20), self.socket.next()).await;
            match message.expect("a packet within 20 s")? {
                Ok(Message::Text(text)) if text.as_str() == "2" => self.send("3").await,
                Ok(Message::Text(text)) => return Some(text.as_str().to_owned()),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(other) => panic!("unexpected {other:?}"),
            }
        }
    }

    /// The next frame, whatever it is.
    pub(crate) async fn next_message(&mut self) -> Option<Message> {
        let message = timeout(Duration::from_secs(20), self.socket.next()).await;
        message.expect("a frame within 20 s").and_then(Result::ok)
    }

    /// Sends bytes as they are.
    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        self.socket.get_mut().write_all(bytes).await.unwrap();
    }

    /// Sends bytes to a server that may close while they come.
    pub(crate) async fn try_send_bytes(&mut self, bytes: &[u8]) {
        let _sent = self.socket.get_mut().write_all(bytes).await.is_ok();
    }

    /// The close frame, or that there was none.
    pub(crate) async fn close_code(&mut self) -> Option<u16> {
        loop {
            let message = timeout(Duration::from_secs(20), self.socket.next()).await;
            match message.expect("an end within 20 s") {
                Some(Ok(Message::Close(frame))) => return frame.map(|it| it.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }
}

/// A frame as a client writes it, with a mask of zeros.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match u16::try_from(payload.len()) {
        Ok(len @ ..126) => frame.push(0x80 | u8::try_from(len).unwrap()),
        Ok(len) => {
            frame.push(0x80 | 126);
            frame.extend(len.to_be_bytes());
        }
        Err(_) => {
            frame.push(0x80 | 127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// What breaks the frames' protocol, whatever the messages are, and the code that it is closed with.
pub(crate) fn broken_frames() -> [(Vec<u8>, u16); 7] {
    [
        (b"\x81\x02hello".to_vec(), 1002), // no mask
        (frame(0x80, b"no beginning"), 1002),
        (frame(0xc1, b"3"), 1002),
        (frame(0x83, b"3"), 1002),
        (frame(0x09, b"3"), 1002),
        (frame(0x82, b"binary"), 1003),
        (frame(0x81, b"42[\"\xff\"]"), 1007),
    ]
}

/// Sends bytes and reads until the server closes or says no more for a second.
pub(crate) async fn exchange(address: &str, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // A refused peer may be closed in the middle of its sending.
    let _sent = stream.write_all(request).await.is_ok();
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(Ok(read @ 1..)) = timeout(Duration::from_secs(1), stream.read(&mut chunk)).await {
        answer.extend(&chunk[..read]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// A GET with further header lines.
pub(crate) async fn get(address: &str, target: &str, headers: &[(&str, &str)]) -> String {
    request(address, "GET", target, headers, "").await
}

/// A request on a connection of its own.
pub(crate) async fn request(
    address: &str,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> String {
    let mut text = format!("{method} {target} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        text += &format!("host: {address}\r\n");
    }
    if !body.is_empty() {
        text += &format!("content-length: {}\r\n", body.len());
    }
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    exchange(address, format!("{text}\r\n{body}").as_bytes()).await
}

/// The number in an answer's first line.
pub(crate) fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|it| it.parse().ok()).unwrap_or(0)
}

/// Opens a polling session; its id.
pub(crate) async fn open_polling(address: &str) -> String {
    let answer = get(address, "/socket.io/?EIO=4&transport=polling", &[]).await;
    let (_, rest) = answer.split_once("\"sid\":\"").expect(&answer);
    rest.split('"').next().unwrap().to_owned()
}
