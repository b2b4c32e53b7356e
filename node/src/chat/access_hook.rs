//! Asks the application whether a user may be in a room, where neither the token nor the room's
//! record says so.
//!
//! What it answers is kept for a while, so an answer is as old as that at most; and only until the
//! application changes the room's record or members, or takes back the user's tokens: whoever asks
//! names the version of these that Redis told, so no node can miss a change. Of those who want to know
//! the same at once one asks. Where it does not answer nobody is let in, and nobody is told no:
//! they may ask again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::{counter, describe_counter, describe_histogram, histogram};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout};
use tracing::warn;

use crate::auth::remote::{Remote, RemoteError, RemoteUrl};
use crate::domain::id::{RoomId, UserId};
use crate::domain::refusal::{Outcome, Refusal};
use crate::domain::role::{Actor, Role};
use crate::lifecycle::Lifecycle;
use crate::secret::Secret;

/// Answers that are kept at once: a few MB. One more forgets all.
const ANSWERS_MAX: usize = 20_000;

/// Bytes of an answer: `{"allow": true}` and whatever else is said.
const ANSWER_BYTES_MAX: usize = 4096;

/// Longest time for which an answer is waited for.
const TIMEOUT_MS_MAX: u32 = 10_000;

const ASKED: &str = "parlance_access_hook_total";
const TOOK: &str = "parlance_access_hook_duration_seconds";

/// Settings of the section `access`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the application is asked; unset: nobody is.
    pub url: Option<RemoteUrl>,
    /// Shown to it as bearer token.
    pub token: Option<Secret<String>>,
    /// Whether another machine may be asked without TLS.
    pub plain_http: bool,
    /// Milliseconds that it has for its answer.
    pub timeout_ms: u32,
    /// Seconds for which a yes is kept; 0: it is asked each time.
    pub yes_seconds: u32,
    /// Seconds for which a no is kept; 0: it is asked each time.
    pub no_seconds: u32,
    /// Questions of a node at once.
    pub at_once: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: None,
            token: None,
            plain_http: false,
            timeout_ms: 1000,
            yes_seconds: 60,
            no_seconds: 5,
            at_once: 32,
        }
    }
}

impl Config {
    /// All mistakes, each with the setting's name.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if let Some(url) = &self.url
            && url.is_open_to_all()
            && !self.plain_http
        {
            problems.push(format!(
                "access.url: {url} is asked without TLS, so anybody on the way could answer: use \
                 https, or set access.plain_http = true where the network is yours alone"
            ));
        }
        if !(1..=TIMEOUT_MS_MAX).contains(&self.timeout_ms) {
            problems.push(format!("access.timeout_ms: has to be 1 to {TIMEOUT_MS_MAX}"));
        }
        if !(1..=1000).contains(&self.at_once) {
            problems.push("access.at_once: has to be 1 to 1000".to_owned());
        }
        problems
    }
}

/// All that an answer depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Question {
    user: UserId,
    role: Role,
    departments: Vec<String>,
    room: RoomId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
    /// There is none.
    Failed,
}

impl Answer {
    fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Failed => "failed",
        }
    }

    fn into_verdict(self) -> Result<bool, Refusal> {
        match self {
            Self::Yes => Ok(true),
            Self::No => Ok(false),
            Self::Failed => Err(Refusal::Unavailable(Outcome::Refused)),
        }
    }
}

#[derive(Debug)]
enum Known {
    Until(Instant, Answer),
    Asking(watch::Receiver<Option<Answer>>),
}

/// An answer, and the version of the room's and the user's records when it was asked for.
#[derive(Debug)]
struct Versioned {
    version: String,
    known: Known,
}

/// The application's say.
#[derive(Debug, Clone)]
pub struct AccessHook {
    asker: Option<Arc<Asker>>,
    lifecycle: Lifecycle,
}

#[derive(Debug)]
struct Asker {
    config: Config,
    remote: Remote,
    places: Semaphore,
    known: Mutex<HashMap<Question, Versioned>>,
}

/// What the application says; any other member is its own.
#[derive(Deserialize)]
struct Said {
    allow: bool,
}

impl AccessHook {
    /// A hook, if there is somebody to ask.
    ///
    /// # Errors
    /// The machine's root certificates cannot be read.
    pub fn new(config: &Config, lifecycle: &Lifecycle) -> Result<Self, RemoteError> {
        describe_counter!(ASKED, "Questions to the application whether a user may be in a room");
        describe_histogram!(
            TOOK,
            metrics::Unit::Seconds,
            "From asking the application to its answer"
        );
        // What alerts and dashboards divide by begins at nothing and is not absent.
        for answer in [Answer::Yes, Answer::No, Answer::Failed] {
            counter!(ASKED, "result" => answer.as_str()).increment(0);
        }
        let lifecycle = lifecycle.clone();
        let Some(url) = config.url.clone() else { return Ok(Self { asker: None, lifecycle }) };
        let within = Duration::from_millis(config.timeout_ms.into());
        let asker = Asker {
            remote: Remote::new(url, within, ANSWER_BYTES_MAX)?,
            places: Semaphore::new(config.at_once as usize),
            known: Mutex::default(),
            config: config.clone(),
        };
        Ok(Self { asker: Some(Arc::new(asker)), lifecycle })
    }

    /// Whether the application lets the actor into the room; it does not where nobody is asked. An
    /// answer that was asked for at another `version` counts for nothing.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn lets_in(
        &self,
        actor: &Actor,
        room: &RoomId,
        version: &str,
    ) -> Result<bool, Refusal> {
        let Some(asker) = &self.asker else { return Ok(false) };
        let question = Question {
            user: actor.id().clone(),
            role: actor.participant.role,
            departments: actor.departments.clone(),
            room: room.clone(),
        };
        let mut answer = match asker.look(&question, version) {
            Looked::Known(answer) => {
                counter!(ASKED, "result" => "kept").increment(1);
                return answer.into_verdict();
            }
            Looked::Asked(answer) => answer,
            Looked::Unasked(tell) => {
                let answer = tell.subscribe();
                let name = actor.participant.name.clone();
                let ask = Arc::clone(asker).ask((question, version.to_owned()), name, tell);
                // A task of its own: others may wait for the answer when this asker has gone.
                self.lifecycle.spawn("access hook", ask);
                answer
            }
        };
        let answer = answer.wait_for(Option::is_some).await.ok().and_then(|it| *it);
        answer.unwrap_or(Answer::Failed).into_verdict()
    }
}

/// What is known when somebody wants to know.
enum Looked {
    Known(Answer),
    /// Somebody asks already.
    Asked(watch::Receiver<Option<Answer>>),
    /// Whoever gets this asks.
    Unasked(watch::Sender<Option<Answer>>),
}

impl Asker {
    fn look(&self, question: &Question, version: &str) -> Looked {
        let now = Instant::now();
        let mut known = self.known();
        match known.get(question).filter(|it| it.version == version).map(|it| &it.known) {
            Some(Known::Until(until, answer)) if now < *until => return Looked::Known(*answer),
            Some(Known::Asking(answer)) => return Looked::Asked(answer.clone()),
            Some(Known::Until(..)) | None => (),
        }
        if ANSWERS_MAX <= known.len() {
            known.retain(|_, it| matches!(it.known, Known::Asking(_)));
        }
        let (tell, answer) = watch::channel(None);
        let asking = Versioned { version: version.to_owned(), known: Known::Asking(answer) };
        known.insert(question.clone(), asking);
        Looked::Unasked(tell)
    }

    /// Keeps an answer, unless somebody asks at another version by now.
    fn keep(&self, question: Question, version: String, answer: Answer) {
        let kept_for = match answer {
            Answer::Yes => self.config.yes_seconds,
            Answer::No => self.config.no_seconds,
            Answer::Failed => 0,
        };
        let mut known = self.known();
        if known.get(&question).is_some_and(|it| it.version != version) {
            return;
        }
        if kept_for == 0 {
            known.remove(&question);
        } else {
            let until = Instant::now() + Duration::from_secs(kept_for.into());
            known.insert(question, Versioned { version, known: Known::Until(until, answer) });
        }
    }

    async fn ask(
        self: Arc<Self>,
        (question, version): (Question, String),
        name: String,
        tell: watch::Sender<Option<Answer>>,
    ) {
        let began = Instant::now();
        let within = Duration::from_millis(self.config.timeout_ms.into());
        // Waiting for a place counts: whoever asks waits no longer than was configured.
        let answer = timeout(within, self.answer(&question, &name)).await.unwrap_or(Answer::Failed);
        histogram!(TOOK).record(began.elapsed().as_secs_f64());
        counter!(ASKED, "result" => answer.as_str()).increment(1);
        self.keep(question, version, answer);
        tell.send_replace(Some(answer));
    }

    async fn answer(&self, question: &Question, name: &str) -> Answer {
        let Ok(_place) = self.places.acquire().await else { return Answer::Failed };
        let Question { user, role, departments, room } = question;
        let user = json!({
            "id": user.as_str(), "name": name, "role": role.as_str(), "departments": departments,
        });
        let asked = json!({ "user": user, "room": room.as_str() }).to_string();
        let said = match self.remote.post(asked, self.config.token.as_ref()).await {
            Ok(body) => {
                serde_json::from_slice(&body).map_err(|_not_said| "answered no verdict".to_owned())
            }
            Err(error) => Err(error.to_string()),
        };
        match said {
            Ok(Said { allow: true }) => Answer::Yes,
            Ok(Said { allow: false }) => Answer::No,
            Err(error) => {
                warn!(url = %self.remote.url(), error, "the application does not say who may be in a room");
                Answer::Failed
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Question, Versioned>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
