//! One dialect file → one [`Dialect`], or every fault of the file.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use toml::de::DeTable;

use crate::dialect::check::{Check, Fault, suggestion};
use crate::dialect::deed::{Asked, Deed};
use crate::dialect::file::{Quoted, Table};
use crate::dialect::json;
use crate::dialect::occasion::Occasion;
use crate::dialect::offer::{Offer, REFUSAL_OFFER};
use crate::dialect::pattern::Pattern;
use crate::dialect::request::{Given, Ids, Rules, TEXT_MAX_DEFAULT, TextMax};
use crate::dialect::shape::{Shape, ShapeKind};
use crate::dialect::source::Source;
use crate::dialect::template::Template;
use crate::dialect::venue::Venues;
use crate::dialect::word::Word;
use crate::dialect::words::Style;
use crate::dialect::{Audience, ClientEvent, Dialect, Rates, Spelling, Terms, Utterance};
use crate::domain::refusal::CODES;
use crate::domain::view::Wanted;

/// Names that Socket.IO keeps for itself: its libraries throw when an application uses one.
const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// Every refused acknowledgement, whatever the dialect.
const REFUSAL_ACK: &str = r#"{"ok":false,"error":{"code":"$error.code",
    "message":"$error.message","outcome":"$error.outcome",
    "retryAfterMs":"$error.retry_after_ms?"}}"#;

/// Compiles one file.
pub(super) fn compile(source: &Source) -> Result<Dialect, Vec<Fault>> {
    let mut check = Check::new(Arc::clone(&source.file), &source.text);
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    if !errors.is_empty() {
        // What could be read behind a syntax error would be judged wrongly.
        for error in errors {
            check.fault(error.span().map_or(0, |span| span.start), error.message());
        }
        return Err(check.into_faults());
    }
    if !is_dialect_name(&source.name) {
        check.fault(0, "a dialect's name holds 1 to 32 small letters, digits, - and _");
    }
    let file = Table::new(table.get_ref(), 0);
    let dialect = Compiler { check: &mut check, is_enveloped: false }.dialect(&source.name, file);
    match (dialect, check.into_faults()) {
        (Some(dialect), faults) if faults.is_empty() => Ok(dialect),
        (_, faults) => Err(faults),
    }
}

/// Names become labels of metrics.
fn is_dialect_name(name: &str) -> bool {
    let is_name_char = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
    (1..=32).contains(&name.len()) && name.chars().all(is_name_char)
}

struct Compiler<'c, 't> {
    check: &'c mut Check<'t>,
    /// Messages are envelopes instead of packets of Socket.IO.
    is_enveloped: bool,
}

impl<'t> Compiler<'_, 't> {
    /// `None` only with a fault noted.
    fn dialect(&mut self, name: &str, mut file: Table<'t>) -> Option<Dialect> {
        let venues = Venues::read(self.check, &mut file);
        self.is_enveloped = venues.is_enveloped();
        let rules = self.rules(&mut file);
        let escapes = self.escapes(&mut file);
        let style = Style { ids: rules.ids, escapes, ..Style::default() };
        let needs_token = file.flag(self.check, "token_first").unwrap_or(false);
        let has_standing_rooms = file.flag(self.check, "standing_rooms").unwrap_or(false);
        let rates = Rates::read(self.check, &mut file);
        let codes = self.codes(&mut file);
        let refused = match file.table(self.check, "refused") {
            Some(table) => self.utterance(table, &[REFUSAL_OFFER]),
            None => {
                file.missing(self.check, "refused");
                None
            }
        };
        let greeting = file.table(self.check, "connect").and_then(|mut table| {
            let at = table.at;
            if self.is_enveloped {
                self.check
                    .fault(at, "only Socket.IO has a CONNECT: here a connection opens as it is");
            }
            let asked = self.asked(&mut table, at);
            table.finish(self.check);
            asked
        });
        let mut client = BTreeMap::new();
        for table in file.tables(self.check, "client") {
            self.client(table, &mut client);
        }
        let mut server = HashMap::new();
        for table in file.tables(self.check, "server") {
            self.server(table, &mut server);
        }
        file.finish(self.check);
        let refusal_ack = Quoted { text: REFUSAL_ACK, at: 0 };
        let refusal_ack = Shape::parse(self.check, &refusal_ack)?;
        let refusal_ack = Template::compile(self.check, &refusal_ack, &[REFUSAL_OFFER]);
        let name = Arc::from(name);
        let refused = refused?;
        Some(Dialect {
            name,
            venues,
            rates,
            needs_token,
            has_standing_rooms,
            rules,
            style,
            codes,
            refused,
            refusal_ack,
            greeting,
            client,
            server,
        })
    }

    fn rules(&mut self, file: &mut Table<'t>) -> Rules {
        let ids = match file.text(self.check, "ids") {
            None => Ids::Texts,
            Some(quoted) => match quoted.text {
                "texts" => Ids::Texts,
                "numbers" => Ids::Numbers,
                other => {
                    let cause = format!("unknown spelling of ids `{other}`");
                    let cause = cause + &suggestion(other, &["texts", "numbers"]);
                    self.check.fault(quoted.at, cause);
                    Ids::Texts
                }
            },
        };
        let text_max = file.table(self.check, "text_max").and_then(|mut table| {
            let bytes = table.count(self.check, "bytes");
            let characters = table.count(self.check, "characters");
            let at = table.at;
            table.finish(self.check);
            match (bytes, characters) {
                (Some(bytes), None) => Some(TextMax::Bytes(bytes)),
                (None, Some(characters)) => Some(TextMax::Characters(characters)),
                (Some(_), Some(_)) | (None, None) => {
                    self.check.fault(at, "`text_max` holds either `bytes` or `characters`");
                    None
                }
            }
        });
        Rules { ids, text_max: text_max.unwrap_or(TEXT_MAX_DEFAULT) }
    }

    /// What stands for a character wherever people's own words are told.
    fn escapes(&mut self, file: &mut Table<'t>) -> Vec<(char, String)> {
        let Some(mut table) = file.table(self.check, "escapes") else { return Vec::new() };
        let mut escapes = Vec::new();
        for (key, text) in table.all_texts(self.check) {
            let mut characters = key.text.chars();
            match (characters.next(), characters.next()) {
                (Some(character), None) => escapes.push((character, text.text.to_owned())),
                (_, _) => {
                    self.check.fault(key.at, format!("`{}` is not one character", key.text));
                }
            }
        }
        escapes
    }

    fn codes(&mut self, file: &mut Table<'t>) -> Vec<(&'static str, Spelling)> {
        let mut codes = Vec::new();
        let Some(mut table) = file.table(self.check, "codes") else {
            return codes;
        };
        for key in table.keys() {
            let Some(&core) = CODES.iter().find(|it| **it == key.text) else {
                let cause = format!("unknown code `{}`", key.text);
                self.check.fault(key.at, cause + &suggestion(key.text, &CODES));
                continue;
            };
            if table.is_text(core) {
                let code = table.text(self.check, core).map(|it| Arc::from(it.text));
                codes.extend(code.map(|code| (core, Spelling { code, message: None })));
            } else if let Some(mut spelling) = table.table(self.check, core) {
                let code = spelling.required_text(self.check, "code");
                let message = spelling.required_text(self.check, "message");
                spelling.finish(self.check);
                let message = message.map(|it| Arc::from(it.text));
                let code = code.map(|it| Arc::from(it.text));
                codes.extend(code.map(|code| (core, Spelling { code, message })));
            }
        }
        codes
    }

    /// `event` and `payload` of a table that holds nothing else.
    fn utterance(&mut self, mut table: Table<'t>, offers: &[Offer]) -> Option<Utterance> {
        let utterance = self.spoken(&mut table, offers);
        table.finish(self.check);
        utterance
    }

    fn spoken(&mut self, table: &mut Table<'t>, offers: &[Offer]) -> Option<Utterance> {
        let event = self.event(table);
        let payload = table.required_text(self.check, "payload")?;
        let shape = Shape::parse(self.check, &payload)?;
        let payload = Template::compile(self.check, &shape, offers);
        Some(Utterance { event: Arc::from(event?.text), payload })
    }

    fn event(&mut self, table: &mut Table<'t>) -> Option<Quoted<'t>> {
        let event = table.required_text(self.check, "event")?;
        if event.text.is_empty() || RESERVED.contains(&event.text) {
            self.check.fault(event.at, format!("`{}` cannot be an event's name", event.text));
        }
        Some(event)
    }

    fn client(&mut self, mut table: Table<'t>, client: &mut BTreeMap<Arc<str>, ClientEvent>) {
        let event = self.event(&mut table);
        let at = event.map_or(table.at, |it| it.at);
        let asked = self.asked(&mut table, at);
        table.finish(self.check);
        let (Some(event), Some(asked)) = (event, asked) else { return };
        if let Some(earlier) = client.insert(Arc::from(event.text), asked) {
            let cause = format!("`{}` stands in line {} already", event.text, earlier.line);
            self.check.fault(event.at, cause);
        }
    }

    /// What the event at this place asks for, and how it is answered. `None` only with a fault noted.
    fn asked(&mut self, table: &mut Table<'t>, at: usize) -> Option<ClientEvent> {
        let line = self.check.line(at);
        let args = table.required_texts(self.check, "args");
        let does = table.required_text(self.check, "does");
        let deed = does.and_then(|it| self.deed(&it));
        let mut terms = Terms {
            needs_join: table.flag(self.check, "joined").unwrap_or(true),
            needs_open: table.flag(self.check, "open").unwrap_or(false),
            leaves_others: table.flag(self.check, "alone").unwrap_or(false),
            wanted: Wanted::default(),
        };
        let with = table.table(self.check, "with");
        let reply = table.text(self.check, "reply");
        if let (Some(reply), true) = (&reply, self.is_enveloped) {
            let cause = "only Socket.IO acknowledges: an envelope is answered by `answers`";
            self.check.fault(reply.at, cause);
        }
        let kinds_refused = table.texts(self.check, "kinds_refused");
        let kinds_refused = kinds_refused.into_iter().map(|it| Box::from(it.text)).collect();
        let answers = table.tables(self.check, "answers");
        let refused = table.table(self.check, "refused");
        let refused = refused.and_then(|it| self.utterance(it, &[REFUSAL_OFFER]));
        let deed = deed?; // it says which names are right
        let (fixed, fixed_names) = self.fixed(with, deed);
        let patterns = args.iter().filter_map(|it| self.pattern(it, deed, &fixed_names));
        let patterns: Vec<Pattern> = patterns.collect();
        let ack = self.ack(reply.as_ref(), deed);
        let answers = answers.into_iter().filter_map(|it| self.utterance(it, &[deed.offer()]));
        let answers: Vec<Utterance> = answers.collect();
        let told = || answers.iter().map(|it| &it.payload).chain([&ack]);
        let tells = |word| told().any(|it| it.tells(word));
        terms.wanted = Wanted {
            messages: tells(Word::Messages),
            users: tells(Word::Users),
            created_at: tells(Word::RoomCreatedAt),
        };
        Some(ClientEvent {
            line,
            patterns,
            fixed,
            deed,
            terms,
            kinds_refused,
            ack,
            answers,
            refused,
        })
    }

    /// One way to write an event's arguments; an envelope has one, its payload.
    fn pattern(&mut self, quoted: &Quoted<'_>, deed: Deed, fixed: &[Asked]) -> Option<Pattern> {
        let name: fn(usize) -> String = match self.is_enveloped {
            true => |_| "payload".to_owned(),
            false => |index| format!("argument {}", index + 1),
        };
        let pattern = Pattern::compile(self.check, quoted, name, (deed, fixed))?;
        if self.is_enveloped && 1 < pattern.len() {
            self.check.fault(quoted.at, "an envelope has one payload: `args` holds one at most");
        }
        Some(pattern)
    }

    fn deed(&mut self, does: &Quoted<'_>) -> Option<Deed> {
        let deed = Deed::ALL.into_iter().find(|it| it.as_str() == does.text);
        if deed.is_none() {
            let cause = format!("unknown command `{}`", does.text);
            let known = Deed::ALL.map(Deed::as_str);
            self.check.fault(does.at, cause + &suggestion(does.text, &known));
        }
        deed
    }

    /// The values that the file gives instead of the client.
    fn fixed(&mut self, with: Option<Table<'t>>, deed: Deed) -> (Given, Vec<Asked>) {
        let (mut given, mut names) = (Given::default(), Vec::new());
        let Some(mut table) = with else {
            return (given, names);
        };
        for name in [deed.required(), deed.optional()].concat() {
            let Some(quoted) = table.text(self.check, name.as_str()) else { continue };
            let mut value = String::new();
            json::write_text(&mut value, quoted.text);
            let rules = Rules { ids: Ids::Texts, text_max: TEXT_MAX_DEFAULT };
            if let Err(problem) = given.take(name, &value, rules) {
                self.check.fault(quoted.at, format!("`{}` {problem}", name.as_str()));
            }
            names.push(name);
        }
        table.finish(self.check);
        (given, names)
    }

    /// The acknowledgement `{"ok":true, …}` with the members of `reply`.
    fn ack(&mut self, reply: Option<&Quoted<'t>>, deed: Deed) -> Template {
        let ok = || ("ok".to_owned(), Shape { at: 0, kind: ShapeKind::Literal("true") });
        let mut members = vec![ok()];
        if let Some(shape) = reply.and_then(|reply| Shape::parse(self.check, reply)) {
            match shape.kind {
                ShapeKind::Object(more) => members.extend(more),
                ShapeKind::List(_) | ShapeKind::Text(_) | ShapeKind::Literal(_) => {
                    self.check.fault(shape.at, "`reply` must be a JSON object");
                }
            }
        }
        if let Some((_, shape)) = members.iter().skip(1).find(|(key, _)| key == "ok") {
            self.check.fault(shape.at, "`ok` is written by itself");
        }
        let ack = Shape { at: 0, kind: ShapeKind::Object(members) };
        Template::compile(self.check, &ack, &[deed.offer()])
    }

    fn server(
        &mut self,
        mut table: Table<'t>,
        server: &mut HashMap<Occasion, (Audience, Arc<Utterance>)>,
    ) {
        let on = table.required_texts(self.check, "on");
        let to = table.required_text(self.check, "to");
        let audience = to.and_then(|to| match to.text {
            "all" => Some(Audience::All),
            "others" => Some(Audience::Others),
            other => {
                let cause = format!("unknown audience `{other}`");
                self.check.fault(to.at, cause + &suggestion(other, &["all", "others"]));
                None
            }
        });
        let occasions: Vec<(Quoted<'_>, Occasion)> =
            on.into_iter().filter_map(|on| Some((on, self.occasion(&on)?))).collect();
        let offers: Vec<Offer> = occasions.iter().map(|(_, it)| it.offer()).collect();
        let utterance = self.spoken(&mut table, &offers).map(Arc::new);
        table.finish(self.check);
        for (on, occasion) in occasions {
            let (Some(audience), Some(utterance)) = (audience, &utterance) else { continue };
            if server.insert(occasion, (audience, Arc::clone(utterance))).is_some() {
                self.check.fault(on.at, format!("`{}` has an event already", on.text));
            }
        }
    }

    fn occasion(&mut self, on: &Quoted<'_>) -> Option<Occasion> {
        let occasion = Occasion::ALL.into_iter().find(|it| it.as_str() == on.text);
        if occasion.is_none() {
            let known = Occasion::ALL.map(Occasion::as_str);
            let cause = format!("nothing happens on `{}`", on.text);
            self.check.fault(on.at, cause + &suggestion(on.text, &known));
        }
        occasion
    }
}
