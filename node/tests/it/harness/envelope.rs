//! A client that speaks envelopes over a WebSocket of its own.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::harness::{SOON, token};

pub(crate) struct EnvelopeClient {
    socket: WebSocketStream<TcpStream>,
    /// What came before it was asked for.
    backlog: Vec<Value>,
    asked: u64,
}

impl EnvelopeClient {
    /// Opens a connection without any credentials.
    pub(crate) async fn open(address: SocketAddr, path: &str) -> Self {
        Self::open_with(address, path, None).await
    }

    /// Opens a connection with a header line.
    pub(crate) async fn open_with(
        address: SocketAddr,
        path: &str,
        header: Option<(&'static str, &str)>,
    ) -> Self {
        let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
        if let Some((name, value)) = header {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(address).await.unwrap();
        let (socket, _) = client_async(request, stream).await.unwrap();
        Self { socket, backlog: Vec::new(), asked: 0 }
    }

    /// Opens a connection and shows a good token of this user.
    pub(crate) async fn enter(address: SocketAddr, user: &str) -> Self {
        let mut client = Self::open(address, "/ws").await;
        let shown = json!({ "token": token::token(user), "username": user });
        let known = client.ask("AUTHENTICATE", shown).await;
        let expected = json!({ "userId": user, "username": user, "status": "online" });
        assert_eq!((&known["type"], &known["payload"]), (&json!("AUTH_SUCCESS"), &expected));
        client
    }

    /// Sends anything.
    pub(crate) async fn send(&mut self, text: impl Into<String>) {
        let text: String = text.into();
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// Sends a message without a request id.
    pub(crate) async fn say(&mut self, kind: &str, payload: Value) {
        self.send(json!({ "type": kind, "payload": payload }).to_string()).await;
    }

    /// Sends a message and waits for the one that carries its id.
    pub(crate) async fn ask(&mut self, kind: &str, payload: Value) -> Value {
        self.asked += 1;
        let id = json!(format!("request {}", self.asked));
        let message = json!({ "type": kind, "payload": payload, "requestId": id });
        self.send(message.to_string()).await;
        self.wait(kind, |it| it["requestId"] == id).await
    }

    /// As [`Self::ask`], answered by `answer`. Returns its payload.
    pub(crate) async fn get(&mut self, kind: &str, payload: Value, answer: &str) -> Value {
        let mut message = self.ask(kind, payload).await;
        assert_eq!(message["type"], answer, "{kind} was answered {message}");
        message["payload"].take()
    }

    /// Joins a room.
    pub(crate) async fn join(&mut self, room: &str) -> Value {
        self.get("JOIN_ROOM", json!({ "roomId": room }), "ROOM_JOINED").await
    }

    /// Asks for something that is refused with this code.
    pub(crate) async fn refused(&mut self, kind: &str, payload: Value, code: &str) -> Value {
        let error = self.get(kind, payload, "ERROR").await;
        assert_eq!(error["code"], code, "{kind} was refused by {error}");
        assert!(error["message"].as_str().is_some_and(|it| !it.is_empty()), "{error}");
        error
    }

    /// The next message of this type, whatever else came before it.
    pub(crate) async fn expect(&mut self, kind: &str) -> Value {
        self.wait(kind, |it| it["type"] == kind).await
    }

    /// The payload of the next message of this type.
    pub(crate) async fn hear(&mut self, kind: &str) -> Value {
        self.expect(kind).await["payload"].take()
    }

    /// What came and was not asked for yet, of this type.
    pub(crate) fn unheard(&self, kind: &str) -> Vec<&Value> {
        self.backlog.iter().filter(|it| it["type"] == kind).collect()
    }

    async fn wait(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.backlog.iter().position(&wanted) {
            return self.backlog.remove(at);
        }
        loop {
            let message = self.next().await.unwrap_or_else(|code| {
                panic!("{what}: the connection ended with {code:?}; unheard: {:?}", self.backlog)
            });
            if wanted(&message) {
                return message;
            }
            self.backlog.push(message);
        }
    }

    /// The next message, or the code with which the connection ends.
    async fn next(&mut self) -> Result<Value, Option<u16>> {
        loop {
            let message = timeout(SOON, self.socket.next()).await;
            let message = message.unwrap_or_else(|_| panic!("silence; {:?}", self.backlog));
            match message {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => return Err(frame.map(|it| it.code.into())),
                Some(Ok(_ping)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// The code with which the connection ends; what comes before is kept.
    pub(crate) async fn closed(&mut self) -> Option<u16> {
        loop {
            match self.next().await {
                Ok(message) => self.backlog.push(message),
                Err(code) => return code,
            }
        }
    }
}

/// The texts of messages.
pub(crate) fn texts(messages: &Value) -> Vec<&str> {
    let messages = messages.as_array().unwrap().iter();
    messages.map(|it| it["content"].as_str().unwrap()).collect()
}
