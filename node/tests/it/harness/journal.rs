//! All that a client has heard, in order.

use std::collections::HashMap;

use serde_json::Value;

use crate::harness::packet::Packet;

/// An event as it came.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Heard {
    pub(crate) name: String,
    pub(crate) payload: Value,
    /// Its number among everything that came, acknowledgements included.
    pub(crate) at: usize,
}

/// How a connection stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Standing {
    /// No answer to CONNECT yet.
    Connecting,
    Connected,
    /// CONNECT was refused.
    Refused(Value),
    /// The server said DISCONNECT.
    Disconnected,
}

#[derive(Debug)]
pub(crate) struct Journal {
    /// The Engine.IO handshake.
    pub(crate) open: Option<Value>,
    pub(crate) standing: Standing,
    /// The answer to CONNECT.
    pub(crate) connected: Option<Value>,
    /// Whether the transport has ended.
    pub(crate) ended: bool,
    pub(crate) events: Vec<Heard>,
    acks: HashMap<u64, (usize, Value)>,
    count: usize,
}

impl Journal {
    pub(crate) fn new() -> Self {
        Self {
            open: None,
            standing: Standing::Connecting,
            connected: None,
            ended: false,
            events: Vec::new(),
            acks: HashMap::new(),
            count: 0,
        }
    }

    pub(crate) fn write(&mut self, packet: Packet) {
        self.count += 1;
        match packet {
            Packet::Open(handshake) => self.open = Some(handshake),
            Packet::Close => self.ended = true,
            Packet::Ping(_) | Packet::Noop => (),
            Packet::Connected(answer) => {
                (self.standing, self.connected) = (Standing::Connected, Some(answer));
            }
            Packet::ConnectRefused(why) => self.standing = Standing::Refused(why),
            Packet::Disconnected => self.standing = Standing::Disconnected,
            Packet::Event { name, argument } => {
                self.events.push(Heard { name, payload: argument, at: self.count });
            }
            Packet::Ack { id, argument } => {
                let before = self.acks.insert(id, (self.count, argument));
                assert!(before.is_none(), "ack {id} came twice");
            }
        }
    }

    /// The payloads of all events of this name.
    pub(crate) fn named(&self, name: &str) -> impl Iterator<Item = &Value> {
        self.events.iter().filter(move |it| it.name == name).map(|it| &it.payload)
    }

    /// The answer to an event, and its number among everything that came.
    pub(crate) fn ack(&self, id: u64) -> Option<&(usize, Value)> {
        self.acks.get(&id)
    }
}
