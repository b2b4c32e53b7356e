//! A chat server as small as can be, with flaws to order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

use crate::wire::target::Target;

/// What the server does wrong, once in a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    None,
    DropsTellings,
    ReusesSeqs,
    SkipsDedupe,
    LosesAcked,
}

/// It goes wrong at one message in so many.
const ONE_IN: usize = 50;

/// Frames that may wait for one client.
const OUTBOX_FRAMES: usize = 10_000;

#[derive(Default)]
struct Chat {
    rooms: BTreeMap<String, Room>,
    messages: usize,
}

#[derive(Default)]
struct Room {
    log: Vec<Value>,
    acks: BTreeMap<String, Value>,
    members: BTreeMap<usize, mpsc::Sender<String>>,
}

struct Connection {
    number: usize,
    outbox: mpsc::Sender<String>,
    chat: Arc<Mutex<Chat>>,
    flaw: Flaw,
}

/// Serves until the tasks are dropped.
pub(super) async fn serve(flaw: Flaw) -> (Target, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target { address: listener.local_addr().unwrap() };
    let chat = Arc::new(Mutex::new(Chat::default()));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        for number in 0.. {
            let (tcp, _) = listener.accept().await.unwrap();
            connections.spawn(connection(tcp, number, Arc::clone(&chat), flaw));
        }
    });
    (target, tasks)
}

async fn connection(tcp: TcpStream, number: usize, chat: Arc<Mutex<Chat>>, flaw: Flaw) {
    let Ok(stream) = tokio_tungstenite::accept_async(tcp).await else { return };
    let (mut sink, mut stream) = stream.split();
    let (outbox, mut frames) = mpsc::channel(OUTBOX_FRAMES);
    let connection = Connection { number, outbox, chat, flaw };
    connection.say(r#"0{"sid":"s","pingInterval":25000,"pingTimeout":20000}"#.to_owned());
    loop {
        tokio::select! {
            Some(frame) = frames.recv() => {
                if sink.send(Message::text(frame)).await.is_err() {
                    break;
                }
            }
            text = stream.next() => match text {
                Some(Ok(Message::Text(text))) => connection.hear(&text),
                Some(Ok(_)) => (),
                Some(Err(_)) | None => break,
            },
        }
    }
    for room in connection.chat.lock().unwrap().rooms.values_mut() {
        room.members.remove(&number);
    }
}

impl Connection {
    fn say(&self, frame: String) {
        self.outbox.try_send(frame).expect("a test says less than fits");
    }

    /// Nobody waits for the answer to an event without a number.
    fn answer(&self, number: &str, ack: &Value) {
        if !number.is_empty() {
            self.say(format!("43{number}[{ack}]"));
        }
    }

    fn tell(&self, message: &Value) {
        self.say(told(message));
    }

    fn hear(&self, text: &str) {
        if text.starts_with("40") {
            return self.say(r#"40{"sid":"s"}"#.to_owned());
        }
        let Some(rest) = text.strip_prefix("42") else { return };
        let (number, event) = rest.split_at(rest.find('[').unwrap());
        let event: Value = serde_json::from_str(event).unwrap();
        let argument = &event[1];
        let room = argument["conversationId"].as_str().or(argument.as_str()).unwrap();
        let mut chat = self.chat.lock().unwrap();
        match event[0].as_str().unwrap() {
            "conversation:join" => self.join(&mut chat, room, argument, number),
            "conversation:leave" => {
                chat.rooms.entry(room.to_owned()).or_default().members.remove(&self.number);
                self.answer(number, &json!({ "ok": true }));
            }
            "message:send" => {
                let ack = self.send(&mut chat, room, argument);
                self.answer(number, &ack);
            }
            _ => (),
        }
    }

    fn join(&self, chat: &mut Chat, name: &str, argument: &Value, number: &str) {
        let room = chat.rooms.entry(name.to_owned()).or_default();
        room.members.insert(self.number, self.outbox.clone());
        let head = room.log.len();
        let since = match &argument["since"] {
            Value::Null => None,
            Value::String(id) => room.log.iter().position(|it| it["id"] == *id).map(|it| it + 1),
            Value::Object(place) => place["seq"].as_u64().and_then(|it| usize::try_from(it).ok()),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) => panic!("no place: {argument}"),
        };
        let missed = &room.log[since.unwrap_or(head)..];
        let position = json!({ "epoch": 1, "seq": head });
        let (resumed, count) = (since.is_some(), missed.len());
        let ack = json!({ "ok": true, "position": position, "resumed": resumed, "missed": count });
        self.answer(number, &ack);
        missed.iter().for_each(|it| self.tell(it));
    }

    fn send(&self, chat: &mut Chat, name: &str, argument: &Value) -> Value {
        let key = argument["clientMessageId"].as_str().unwrap_or_default().to_owned();
        let room = chat.rooms.entry(name.to_owned()).or_default();
        if let Some(ack) =
            room.acks.get(&key).filter(|_| self.flaw != Flaw::SkipsDedupe && !key.is_empty())
        {
            return ack.clone();
        }
        chat.messages += 1;
        let flaw = if chat.messages.is_multiple_of(ONE_IN) { self.flaw } else { Flaw::None };
        let id = format!("m{}", chat.messages);
        let message = json!({ "id": id, "conversationId": name, "content": argument["content"] });
        let seq = room.log.len() + usize::from(flaw != Flaw::ReusesSeqs);
        let ack = json!({ "ok": true, "id": id, "seq": seq });
        if flaw == Flaw::LosesAcked {
            return ack;
        }
        let others = room.members.iter().filter(|(it, _)| **it != self.number);
        for (_, outbox) in others.filter(|_| flaw != Flaw::DropsTellings) {
            // Whoever is gone is taken out by its own task.
            drop(outbox.try_send(told(&message)));
        }
        room.log.push(message);
        room.acks.insert(key, ack.clone());
        ack
    }
}

fn told(message: &Value) -> String {
    format!("42{}", json!(["message:new", message]))
}
