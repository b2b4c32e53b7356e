//! How a client is to connect.

use std::net::SocketAddr;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use tokio::net::TcpSocket;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::harness::client::{Client, Pipe};
use crate::harness::journal::Standing;
use crate::harness::{SOON, envelopes, official, polling, token, websocket};

/// Packets that may wait between a transport and its client.
const PACKETS_MAX: usize = 1_024;

/// What fits into the kernel for a client that has stopped reading.
const SMALL_RECEIVE_BUFFER: u32 = 4 * 1_024;

#[derive(Debug, Clone, Copy)]
enum Transport {
    Websocket,
    Polling,
    /// The official client with these transports.
    Official(&'static str),
    /// A WebSocket of envelopes at this path.
    Envelopes(&'static str),
}

#[derive(Debug, Clone)]
pub(crate) struct Dial {
    address: SocketAddr,
    transport: Transport,
    namespace: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    auth: Value,
    receive_buffer: Option<u32>,
}

impl Dial {
    /// A WebSocket to `/`, without any credentials.
    pub(crate) fn to(address: SocketAddr) -> Self {
        Self {
            address,
            transport: Transport::Websocket,
            namespace: "/".to_owned(),
            query: Vec::new(),
            headers: HeaderMap::new(),
            auth: Value::Null,
            receive_buffer: None,
        }
    }

    /// With a good token of this user.
    pub(crate) fn user(self, user: &str) -> Self {
        self.auth(json!({ "token": token::token(user) }))
    }

    /// With this in the CONNECT packet.
    pub(crate) fn auth(self, auth: Value) -> Self {
        Self { auth, ..self }
    }

    pub(crate) fn namespace(self, namespace: &str) -> Self {
        Self { namespace: namespace.to_owned(), ..self }
    }

    pub(crate) fn polling(self) -> Self {
        Self { transport: Transport::Polling, ..self }
    }

    /// The official JavaScript client with these transports, separated by commas.
    pub(crate) fn official(self, transports: &'static str) -> Self {
        Self { transport: Transport::Official(transports), ..self }
    }

    /// A WebSocket of envelopes at this path.
    pub(crate) fn envelopes(self, path: &'static str) -> Self {
        Self { transport: Transport::Envelopes(path), namespace: "/".to_owned(), ..self }
    }

    pub(crate) fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        self
    }

    /// The kernel takes little for this client while it does not read.
    pub(crate) fn small_receive_buffer(self) -> Self {
        Self { receive_buffer: Some(SMALL_RECEIVE_BUFFER), ..self }
    }

    /// Connects, and must be let in.
    pub(crate) async fn connect(self) -> Client {
        self.try_connect().await.unwrap_or_else(|why| panic!("CONNECT was refused: {why}"))
    }

    /// Connects; `Err` is what the server refused with.
    pub(crate) async fn try_connect(self) -> Result<Client, Value> {
        let auth = self.auth.clone();
        let client = self.open().await;
        client.send_connect(&auth).await;
        let settled = |journal: &_| standing(journal) != Standing::Connecting;
        client.wait("CONNECT is answered", SOON, settled).await;
        match client.look(standing) {
            Standing::Refused(why) => Err(why),
            Standing::Connecting | Standing::Connected | Standing::Disconnected => Ok(client),
        }
    }

    /// Opens a session without CONNECT.
    pub(crate) async fn open(self) -> Client {
        let (out, bursts) = mpsc::channel(PACKETS_MAX);
        let (packets, inbound) = mpsc::channel(PACKETS_MAX);
        let reading = watch::Sender::new(true);
        let mut tasks = JoinSet::new();
        match self.transport {
            Transport::Polling => {
                let http = reqwest::Client::builder().default_headers(self.headers.clone());
                let url = self.url("http", "polling");
                tasks.spawn(polling::pump(http.build().unwrap(), url, bursts, packets));
            }
            Transport::Official(transports) => {
                tasks.spawn(official::pump(self.url("http", ""), transports, bursts, packets));
            }
            Transport::Envelopes(path) => {
                let stream = TcpSocket::new_v4().unwrap().connect(self.address).await.unwrap();
                let request = format!("ws://{}{path}", self.address).into_client_request();
                let (socket, _) = client_async(request.unwrap(), stream).await.unwrap();
                tasks.spawn(envelopes::pump(socket, bursts, packets));
            }
            Transport::Websocket => {
                let socket = TcpSocket::new_v4().unwrap();
                if let Some(bytes) = self.receive_buffer {
                    socket.set_recv_buffer_size(bytes).unwrap();
                }
                let stream = socket.connect(self.address).await.unwrap();
                stream.set_nodelay(true).unwrap();
                let mut request =
                    self.url("ws", "websocket").as_str().into_client_request().unwrap();
                request.headers_mut().extend(self.headers.clone());
                let (socket, _) = client_async(request, stream).await.unwrap();
                tasks.spawn(websocket::pump(socket, bursts, packets, reading.subscribe()));
            }
        }
        let client = Client::new(self.namespace, Pipe { out, inbound, reading, tasks });
        client.wait("the session opens", SOON, |it| it.open.is_some()).await;
        client
    }

    fn url(&self, scheme: &str, transport: &str) -> Url {
        let mut url = Url::parse(&format!("{scheme}://{}/socket.io/", self.address)).unwrap();
        url.query_pairs_mut().append_pair("EIO", "4").append_pair("transport", transport);
        url.query_pairs_mut().extend_pairs(&self.query);
        url
    }
}

fn standing(journal: &crate::harness::journal::Journal) -> Standing {
    journal.standing.clone()
}
