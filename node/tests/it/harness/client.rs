//! A client that knows the wire and nothing of the server's code.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::harness::SOON;
use crate::harness::journal::{Journal, Standing};
use crate::harness::packet::{Packet, message};

/// A transport, from the client's side.
#[derive(Debug)]
pub(crate) struct Pipe {
    /// Packets that are to go out in one write; none at all: the transport is to be closed.
    pub(crate) out: mpsc::Sender<Vec<String>>,
    pub(crate) inbound: mpsc::Receiver<String>,
    pub(crate) reading: watch::Sender<bool>,
    /// Ends with its client, which closes the connection without a word.
    pub(crate) tasks: JoinSet<()>,
}

#[derive(Debug)]
pub(crate) struct Client {
    namespace: String,
    out: mpsc::Sender<Vec<String>>,
    reading: watch::Sender<bool>,
    journal: watch::Receiver<Journal>,
    /// How many events of each name the test has taken.
    taken: HashMap<String, usize>,
    ack_next: u64,
    _tasks: JoinSet<()>,
}

impl Client {
    pub(crate) fn new(namespace: String, pipe: Pipe) -> Self {
        let Pipe { out, inbound, reading, mut tasks } = pipe;
        let (record, journal) = watch::channel(Journal::new());
        tasks.spawn(listen(namespace.clone(), inbound, out.clone(), record));
        let taken = HashMap::new();
        Self { namespace, out, reading, journal, taken, ack_next: 0, _tasks: tasks }
    }

    /// Sends CONNECT.
    pub(crate) async fn send_connect(&self, auth: &Value) {
        let auth = if auth.is_null() { String::new() } else { auth.to_string() };
        self.send(vec![message('0', &self.namespace, &auth)]).await;
    }

    /// Sends Engine.IO packets in one write. A connection that has ended takes them silently.
    pub(crate) async fn send(&self, packets: Vec<String>) {
        self.out.send(packets).await.ok();
    }

    /// The packet of an event, and the number that its acknowledgement will have.
    pub(crate) fn asking(&mut self, event: &str, argument: &Value) -> (u64, String) {
        let id = self.ack_next;
        self.ack_next += 1;
        (id, message('2', &self.namespace, &format!("{id}{}", json!([event, argument]))))
    }

    /// Sends an event without asking for an answer.
    pub(crate) async fn emit(&self, event: &str, argument: Value) {
        self.emit_all(event, Some(argument)).await;
    }

    /// Sends an event that has an argument, or none.
    pub(crate) async fn emit_all(&self, event: &str, argument: Option<Value>) {
        let body = array(event, argument).to_string();
        self.send(vec![message('2', &self.namespace, &body)]).await;
    }

    /// Sends an event that has an argument, or none, and does not wait for its answer.
    pub(crate) async fn ask_all(&mut self, event: &str, argument: Option<Value>) -> u64 {
        let id = self.ack_next;
        self.ack_next += 1;
        let body = format!("{id}{}", array(event, argument));
        self.send(vec![message('2', &self.namespace, &body)]).await;
        id
    }

    /// Sends an event and does not wait for its answer.
    pub(crate) async fn ask(&mut self, event: &str, argument: Value) -> u64 {
        let (id, packet) = self.asking(event, &argument);
        self.send(vec![packet]).await;
        id
    }

    /// Waits for an answer.
    pub(crate) async fn answer(&self, id: u64) -> Value {
        let what = format!("the answer {id}");
        self.wait(&what, SOON, |it| it.ended || it.ack(id).is_some()).await;
        self.look(|it| it.ack(id).map(|(_, answer)| answer.clone()))
            .unwrap_or_else(|| panic!("the connection ended before answer {id}"))
    }

    /// Sends an event and waits for its answer.
    pub(crate) async fn call(&mut self, event: &str, argument: Value) -> Value {
        let id = self.ask(event, argument).await;
        self.answer(id).await
    }

    /// Like [`Self::call`]; the answer must be yes.
    pub(crate) async fn ok(&mut self, event: &str, argument: Value) -> Value {
        let answer = self.call(event, argument).await;
        assert_eq!(answer["ok"], json!(true), "{event} was answered {answer}");
        answer
    }

    /// Like [`Self::call`]; the answer must be no. Returns the error.
    pub(crate) async fn refused(&mut self, event: &str, argument: Value) -> Value {
        let shown: String = argument.to_string().chars().take(80).collect();
        let answer = self.call(event, argument).await;
        assert_eq!(answer["ok"], json!(false), "{event} {shown} was answered {answer}");
        answer["error"].clone()
    }

    /// Writes a message. Returns the answer, which must be yes.
    pub(crate) async fn say(&mut self, room: &str, text: &str) -> Value {
        self.ok("message:send", json!({ "conversationId": room, "content": text })).await
    }

    /// Writes messages in one burst. Returns the answers, which must all be yes.
    pub(crate) async fn say_all(&mut self, room: &str, texts: &[String]) -> Vec<Value> {
        let asked = texts.iter().map(|text| {
            self.asking("message:send", &json!({ "conversationId": room, "content": text }))
        });
        let (ids, burst): (Vec<u64>, Vec<String>) = asked.unzip();
        self.send(burst).await;
        let mut answers = Vec::new();
        for id in ids {
            let answer = self.answer(id).await;
            assert_eq!(answer["ok"], json!(true), "a message was answered {answer}");
            answers.push(answer);
        }
        answers
    }

    /// The next event of this name, whatever else came before it.
    pub(crate) async fn expect(&mut self, name: &str) -> Value {
        self.expect_within(name, SOON).await
    }

    pub(crate) async fn expect_within(&mut self, name: &str, within: Duration) -> Value {
        self.expect_many(name, 1, within).await.remove(0)
    }

    /// The next `count` events of this name, in the order in which they came.
    pub(crate) async fn expect_many(
        &mut self,
        name: &str,
        count: usize,
        within: Duration,
    ) -> Vec<Value> {
        let from = *self.taken.get(name).unwrap_or(&0);
        let what = format!("{name} number {}", from + count);
        self.wait(&what, within, |it| it.ended || from + count <= it.named(name).count()).await;
        let came: Vec<Value> = self.look(|it| it.named(name).skip(from).cloned().collect());
        assert!(count <= came.len(), "the connection ended with {} of {count} {name}", came.len());
        self.taken.insert(name.to_owned(), from + count);
        came.into_iter().take(count).collect()
    }

    /// All events of this name so far, taken or not.
    pub(crate) fn heard(&self, name: &str) -> Vec<Value> {
        self.look(|it| it.named(name).cloned().collect())
    }

    /// Waits for the end of the transport, and tells how the connection stood.
    pub(crate) async fn ended(&self, within: Duration) -> Standing {
        self.wait("the connection ends", within, |it| it.ended).await;
        self.look(|it| it.standing.clone())
    }

    pub(crate) fn is_open(&self) -> bool {
        self.look(|it| !it.ended)
    }

    /// Leaves with a word.
    pub(crate) async fn disconnect(self) {
        self.send(vec![message('1', &self.namespace, "")]).await;
        self.send(Vec::new()).await;
        self.ended(SOON).await;
    }

    /// Stops taking bytes from the socket, or takes them again.
    pub(crate) fn read(&self, reading: bool) {
        self.reading.send_replace(reading);
    }

    /// Waits until the journal is as wanted.
    pub(crate) async fn wait<F>(&self, what: &str, within: Duration, holds: F)
    where
        F: FnMut(&Journal) -> bool,
    {
        let mut journal = self.journal.clone();
        let held = timeout(within, journal.wait_for(holds)).await.is_ok_and(|it| it.is_ok());
        assert!(held, "{what}: not within {within:?}; heard {:?}", self.look(last_heard));
    }

    /// Tells of every change of the journal.
    pub(crate) fn changes(&self) -> watch::Receiver<Journal> {
        self.journal.clone()
    }

    /// What the journal tells now.
    pub(crate) fn look<T>(&self, question: impl FnOnce(&Journal) -> T) -> T {
        question(&self.journal.borrow())
    }
}

fn array(event: &str, argument: Option<Value>) -> Value {
    [json!(event)].into_iter().chain(argument).collect()
}

/// The texts of messages.
pub(crate) fn contents(messages: &[Value]) -> Vec<&str> {
    messages.iter().filter_map(|it| it["content"].as_str()).collect()
}

/// Texts that tell their place: `1`, `2`, …
pub(crate) fn numbered(numbers: RangeInclusive<usize>) -> Vec<String> {
    numbers.map(|it| it.to_string()).collect()
}

/// The newest events in short, for a failure's message.
fn last_heard(journal: &Journal) -> Vec<String> {
    let skipped = journal.events.len().saturating_sub(20);
    let short = |text: String| text.chars().take(160).collect();
    journal.events[skipped..]
        .iter()
        .map(|it| short(format!("{} {}", it.name, it.payload)))
        .collect()
}

/// Writes the journal, and answers pings.
async fn listen(
    namespace: String,
    mut inbound: mpsc::Receiver<String>,
    out: mpsc::Sender<Vec<String>>,
    record: watch::Sender<Journal>,
) {
    while let Some(text) = inbound.recv().await {
        let packet = Packet::parse(&text, &namespace);
        let packet = packet.unwrap_or_else(|| panic!("the server sent {text:?}"));
        if let Packet::Ping(data) = &packet {
            out.send(vec![format!("3{data}")]).await.ok();
        }
        record.send_modify(|it| it.write(packet));
    }
    record.send_modify(|it| it.ended = true);
    // The journal stays readable for as long as anybody may ask.
    record.closed().await;
}
