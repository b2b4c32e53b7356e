//! The language of scenes: one act a line, and under it what everybody hears of it.
//!
//! A JSON value may go on over several lines. `"$name"` in it stands for a value: the first time it
//! is heard it may be anything, from then on it is that. Names that begin with `at` are times. In the
//! path of a request, too, each part that begins with `$` stands for what was heard.

use serde_json::{Deserializer, Value};

use crate::harness::api;

/// A scene as its file tells it.
#[derive(Debug, Default)]
pub(crate) struct Script {
    /// Settings of the nodes, as environment variables.
    pub(crate) settings: Vec<(&'static str, String)>,
    /// Who takes part, and what their tokens say.
    pub(crate) people: Vec<(String, Value)>,
    pub(crate) steps: Vec<Step>,
    /// Who may be told what, because two acts on two nodes may meet in either order.
    pub(crate) allowed: Vec<(String, String, Value)>,
}

/// Who stands for the application: it has no token and hears nothing.
const APPLICATION: &str = "application";

/// Something that a person or the application does, and what comes of it.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) line: usize,
    pub(crate) who: String,
    pub(crate) act: Act,
    /// Who is told what, in any order.
    pub(crate) told: Vec<(String, Told)>,
}

#[derive(Debug)]
pub(crate) enum Act {
    Dial {
        node: usize,
        namespace: String,
        auth: Value,
    },
    Send {
        event: String,
        argument: Option<Value>,
    },
    Ask {
        event: String,
        argument: Option<Value>,
    },
    Leave,
    /// A request to the server API, which must be granted.
    Request {
        method: &'static str,
        path: String,
        body: Value,
    },
}

#[derive(Debug)]
pub(crate) enum Told {
    Event(String, Value),
    Answer(Value),
    Refused(Value),
    PutOut,
}

impl Script {
    pub(crate) fn parse(text: &'static str) -> Self {
        let mut script = Self::default();
        let mut reader = Reader { text, at: 0 };
        while let Some(who) = reader.first_word() {
            let line = reader.line();
            if who == "set" {
                script.settings.push((reader.word(), reader.rest_of_line().to_owned()));
                continue;
            }
            let verb = reader.word();
            if who == APPLICATION {
                let act = reader.request(verb);
                script.settings.push(("PARLANCE_API__KEYS", api::KEYS.to_owned()));
                script.steps.push(Step { line, who: who.to_owned(), act, told: Vec::new() });
                continue;
            }
            let told = match verb {
                "has" => {
                    script.people.push((who.to_owned(), reader.value().unwrap()));
                    continue;
                }
                "dials" | "sends" | "asks" | "leaves" => {
                    let act = reader.act(verb);
                    script.steps.push(Step { line, who: who.to_owned(), act, told: Vec::new() });
                    continue;
                }
                "may" => {
                    assert_eq!(reader.word(), "hear", "line {line}");
                    let event = reader.word().to_owned();
                    let payload = reader.value().unwrap_or_default();
                    script.allowed.push((who.to_owned(), event, payload));
                    continue;
                }
                "hears" => {
                    let event = reader.word().to_owned();
                    Told::Event(event, reader.value().unwrap_or_default())
                }
                "is" => match reader.word() {
                    "answered" => Told::Answer(reader.value().unwrap()),
                    "refused" => Told::Refused(reader.value().unwrap()),
                    "put" => {
                        reader.word();
                        Told::PutOut
                    }
                    other => panic!("line {line}: what is `is {other}`?"),
                },
                other => panic!("line {line}: nobody can `{other}`"),
            };
            let step = script.steps.last_mut().unwrap_or_else(|| panic!("line {line}: of what?"));
            step.told.push((who.to_owned(), told));
        }
        script
    }
}

struct Reader {
    text: &'static str,
    at: usize,
}

impl Reader {
    fn left(&self) -> &'static str {
        &self.text[self.at..]
    }

    fn line(&self) -> usize {
        1 + self.text[..self.at].matches('\n').count()
    }

    /// The first word of the next line that is no comment; `None`: the end.
    fn first_word(&mut self) -> Option<&'static str> {
        loop {
            self.at += self.left().len() - self.left().trim_start().len();
            match self.left().chars().next()? {
                '#' => self.rest_of_line(),
                _ => return Some(self.word()),
            };
        }
    }

    fn word(&mut self) -> &'static str {
        self.at += self.left().len() - self.left().trim_start_matches(' ').len();
        let end = self.left().find(char::is_whitespace).unwrap_or_else(|| self.left().len());
        let word = &self.left()[..end];
        self.at += end;
        word
    }

    fn rest_of_line(&mut self) -> &'static str {
        let end = self.left().find('\n').unwrap_or_else(|| self.left().len());
        let rest = self.left()[..end].trim();
        self.at += end;
        rest
    }

    /// The JSON value that begins on this line.
    fn value(&mut self) -> Option<Value> {
        self.at += self.left().len() - self.left().trim_start_matches(' ').len();
        if self.left().is_empty() || self.left().starts_with('\n') {
            return None;
        }
        let mut values = Deserializer::from_str(self.left()).into_iter::<Value>();
        let value = values.next().unwrap();
        let value = value.unwrap_or_else(|error| panic!("from line {}: {error}", self.line()));
        self.at += values.byte_offset();
        Some(value)
    }

    fn act(&mut self, verb: &str) -> Act {
        match verb {
            "dials" => Act::Dial {
                node: self.word().parse().unwrap(),
                namespace: self.word().to_owned(),
                auth: self.value().unwrap_or_default(),
            },
            "sends" => Act::Send { event: self.word().to_owned(), argument: self.value() },
            "asks" => Act::Ask { event: self.word().to_owned(), argument: self.value() },
            _ => Act::Leave,
        }
    }

    fn request(&mut self, method: &'static str) -> Act {
        Act::Request {
            method,
            path: self.word().to_owned(),
            body: self.value().unwrap_or_default(),
        }
    }
}
