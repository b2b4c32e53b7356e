//! Plays a scene: after each act everybody must have heard what the scene says, and at the end
//! nobody may have heard anything else.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use crate::harness::SOON;
use crate::harness::client::Client;
use crate::harness::cluster::{Cluster, Plan};
use crate::harness::dial::Dial;
use crate::harness::journal::Standing;
use crate::harness::token::{in_seconds, sign};
use crate::scenes::script::{Act, Script, Step, Told};
use crate::scenes::values::Values;

/// How a lane changes a way to connect.
pub(crate) type Lane = fn(Dial) -> Dial;

struct Person {
    token: String,
    client: Option<Client>,
    refused: Option<Value>,
    /// The number of the newest event that was asked with.
    asked: Option<u64>,
    /// The events, by their numbers, that the scene has told.
    told: Vec<usize>,
}

struct Stage {
    name: &'static str,
    cluster: Cluster,
    lane: Lane,
    people: BTreeMap<String, Person>,
    values: Values,
}

/// Plays the scene on two nodes; fails with the line of what did not come.
pub(crate) async fn play(name: &'static str, script: &Script, lane: Lane) {
    let plan =
        script.settings.iter().fold(Plan::nodes(2), |plan, (name, value)| plan.with(name, value));
    let person = |(name, claims): &(String, Value)| {
        let mut claims = claims.clone();
        claims["exp"] = json!(in_seconds(3_600));
        let token = sign(&claims);
        let (client, refused, asked) = (None, None, None);
        (name.clone(), Person { token, client, refused, asked, told: Vec::new() })
    };
    let people = script.people.iter().map(person).collect();
    let cluster = plan.start().await;
    let mut stage = Stage { name, cluster, lane, people, values: Values::default() };
    for step in &script.steps {
        stage.act(step).await;
        stage.listen(step).await;
    }
    stage.end(&script.allowed);
}

impl Stage {
    async fn act(&mut self, step: &Step) {
        if let Act::Request { method, path, body } = &step.act {
            let path: Vec<String> = path.split('/').map(|it| self.values.part(it)).collect();
            self.cluster.api(0).ok(method, &path.join("/"), self.values.fill(body)).await;
            return;
        }
        let person = self.people.get_mut(&step.who);
        let person = person.unwrap_or_else(|| panic!("{}:{}: who?", self.name, step.line));
        self.values.set("token", json!(person.token));
        let filled = |argument: &Option<Value>| argument.as_ref().map(|it| self.values.fill(it));
        match &step.act {
            Act::Dial { node, namespace, auth } => {
                let dial = self.cluster.dial(*node).namespace(namespace);
                match (self.lane)(dial).auth(self.values.fill(auth)).try_connect().await {
                    Ok(client) => person.client = Some(client),
                    Err(why) => person.refused = Some(code_of(&why)),
                }
            }
            Act::Send { event, argument } => {
                person.client.as_ref().unwrap().emit_all(event, filled(argument)).await;
            }
            Act::Ask { event, argument } => {
                let client = person.client.as_mut().unwrap();
                person.asked = Some(client.ask_all(event, filled(argument)).await);
            }
            Act::Leave => person.client.take().unwrap().disconnect().await,
            Act::Request { .. } => {} // above
        }
    }

    async fn listen(&mut self, step: &Step) {
        let deadline = Instant::now() + SOON;
        for (who, told) in &step.told {
            let person = self.people.get_mut(who).unwrap_or_else(|| panic!("who is {who}?"));
            let mut came = match &person.client {
                Some(client) => client.changes(),
                None => {
                    let fits = matches!((told, &person.refused), (Told::Refused(expected), Some(why))
                        if self.values.fits(expected, why));
                    assert!(fits, "{}:{}: {who} was {:?}", self.name, step.line, person.refused);
                    continue;
                }
            };
            while !person.has(told, &mut self.values) {
                let is_late = tokio::select! {
                    _ = came.changed() => false,
                    () = sleep_until(deadline) => true,
                };
                assert!(
                    !is_late,
                    "{}:{}: {who} is not told {told:?}, but {:#?}",
                    self.name,
                    step.line,
                    person.untold()
                );
            }
        }
    }

    /// Nobody heard what the scene does not tell.
    fn end(&mut self, allowed: &[(String, String, Value)]) {
        for (who, person) in &self.people {
            let mut untold = person.untold();
            untold.retain(|(name, payload)| {
                let mut said = allowed.iter().filter(|it| it.0 == *who && it.1 == *name);
                !said.any(|it| self.values.fits(&it.2, payload))
            });
            assert!(untold.is_empty(), "{}: {who} heard also {untold:#?}", self.name);
        }
    }
}

impl Person {
    /// Whether this has come; an event counts once.
    fn has(&mut self, told: &Told, values: &mut Values) -> bool {
        let Some(client) = &self.client else { return false };
        match told {
            Told::Event(name, payload) => {
                let found = client.look(|it| {
                    it.events.iter().position(|it| {
                        !self.told.contains(&it.at)
                            && it.name == *name
                            && values.fits(payload, &it.payload)
                    })
                });
                self.told.extend(found.map(|index| client.look(|it| it.events[index].at)));
                found.is_some()
            }
            Told::Answer(expected) => {
                let id = self.asked.expect("somebody is answered who has asked");
                let answer = client.look(|it| it.ack(id).map(|(_, answer)| answer.clone()));
                answer.is_some_and(|answer| {
                    assert!(values.fits(expected, &answer), "the answer is {answer:#}");
                    true
                })
            }
            Told::Refused(_) => panic!("the connection was not refused"),
            Told::PutOut => client.look(|it| it.standing == Standing::Disconnected),
        }
    }

    /// The events that the scene has not told.
    fn untold(&self) -> Vec<(String, Value)> {
        let Some(client) = &self.client else { return Vec::new() };
        client.look(|it| {
            let untold = it.events.iter().filter(|it| !self.told.contains(&it.at));
            untold.map(|it| (it.name.clone(), it.payload.clone())).collect()
        })
    }
}

/// The code of a refused CONNECT. The one lane says it beside a message, the other instead.
fn code_of(why: &Value) -> Value {
    if why["data"]["code"].is_string() {
        why["data"]["code"].clone()
    } else {
        why["message"].clone()
    }
}
