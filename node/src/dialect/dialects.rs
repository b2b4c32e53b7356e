//! All compiled protocols, and which of them understands a packet.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::dialect::check::{Fault, Faults};
use crate::dialect::envelope::{Envelope, RequestId};
use crate::dialect::links::{LinkTo, Links};
use crate::dialect::pattern::Pattern;
use crate::dialect::source::Source;
use crate::dialect::venue::{Venue, Venues};
use crate::dialect::{
    CONNECT, ClientEvent, Dialect, DialectId, DialectSet, Malformed, Request, Spoken, compile, json,
};
use crate::domain::notice::Notice;
use crate::domain::refusal::Refusal;

/// All compiled dialects.
#[derive(Debug)]
pub struct Dialects {
    pub(super) all: Vec<Dialect>,
    namespaces: BTreeMap<Arc<str>, Vec<DialectId>>,
    paths: BTreeMap<Arc<str>, DialectId>,
}

/// Arguments that a pattern may look at; further ones are dropped unread.
pub(super) const ARGS_MAX: usize = 16;

/// Numbers of dialects are bytes; few clusters need a sixth protocol.
const DIALECTS_MAX: usize = 64;

impl Dialects {
    /// The dialects that ship inside the binary.
    #[must_use]
    pub fn builtin() -> Self {
        Self::compile(&Source::builtin()).expect("the tests compile the files that are built in")
    }

    /// The dialects of the binary and those of a folder; a file there whose name is that of a
    /// dialect of the binary replaces it.
    ///
    /// # Errors
    /// Every fault of every file; a folder or file that cannot be read.
    pub fn load(folder: &Path) -> Result<Self, Faults> {
        Self::compile(&Source::all(Some(folder))?)
    }

    /// Compiles these files, and sees whether they get along on their namespaces.
    ///
    /// # Errors
    /// Every fault of every file.
    pub fn compile(sources: &[Source]) -> Result<Self, Faults> {
        let (mut all, mut faults) = (Vec::new(), Vec::new());
        if let Some(source) = sources.get(DIALECTS_MAX) {
            let cause = format!("more than {DIALECTS_MAX} dialects");
            faults.push(Fault { file: Arc::clone(&source.file), line: 0, cause });
        }
        for source in sources {
            match compile::compile(source) {
                Ok(dialect) => all.push((source, dialect)),
                Err(found) => faults.extend(found),
            }
        }
        for (index, (source, dialect)) in all.iter().enumerate() {
            let earlier = all.iter().take(index).map(|(_, earlier)| earlier);
            faults.extend(earlier.flat_map(|it| it.quarrels(dialect, &source.file)));
        }
        if !faults.is_empty() {
            return Err(Faults(faults));
        }
        let mut namespaces: BTreeMap<Arc<str>, Vec<DialectId>> = BTreeMap::new();
        let mut paths = BTreeMap::new();
        for (id, (_, dialect)) in (0..=u8::MAX).map(DialectId).zip(&all) {
            match &dialect.venues {
                Venues::Namespaces(names) => {
                    for name in names {
                        namespaces.entry(Arc::clone(name)).or_default().push(id);
                    }
                }
                Venues::Paths(names) => {
                    paths.extend(names.iter().map(|name| (Arc::clone(name), id)));
                }
            }
        }
        let all = all.into_iter().map(|(_, dialect)| dialect).collect();
        Ok(Self { all, namespaces, paths })
    }

    /// The same dialects, telling these links to files.
    #[must_use]
    pub fn with_links(mut self, link: &LinkTo) -> Self {
        for dialect in &mut self.all {
            dialect.style.links = Links::new(Arc::clone(link));
        }
        self
    }

    /// The dialect with this number.
    ///
    /// # Panics
    /// The number is not one that these dialects gave out.
    #[must_use]
    pub fn get(&self, id: DialectId) -> &Dialect {
        &self.all[usize::from(id.0)]
    }

    /// The notice in the words of each of these dialects; what several say alike, once.
    #[must_use]
    pub fn encode(&self, dialects: DialectSet, notice: &Notice) -> Vec<Spoken> {
        let mut all: Vec<Spoken> = Vec::new();
        for spoken in dialects.iter().filter_map(|it| self.get(it).encode(notice)) {
            if !all.iter().any(|it| it.frame.is_same(&spoken.frame)) {
                all.push(spoken);
            }
        }
        all
    }

    /// The dialect with this name.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<DialectId> {
        let named = |it: &(u8, &Dialect)| **it.1.name() == *name;
        (0..=u8::MAX).zip(&self.all).find(named).map(|(number, _)| DialectId(number))
    }

    /// Whether the dialect is spoken on this namespace.
    #[must_use]
    pub fn speaks(&self, dialect: DialectId, namespace: &str) -> bool {
        self.namespaces.get(namespace).is_some_and(|it| it.contains(&dialect))
    }

    /// How many there are; numbers run from 0.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The dialect of a connection that has not spoken yet: the one that it names, if that is spoken
    /// there, else the only one that is.
    #[must_use]
    pub fn expected(&self, venue: &Venue, named: Option<&str>) -> Option<DialectId> {
        match venue {
            Venue::Path(path) => self.paths.get(path).copied(),
            Venue::Namespace(namespace) => {
                let spoken = self.namespaces.get(namespace)?;
                let named = named.and_then(|it| self.by_name(it));
                match (named.filter(|it| spoken.contains(it)), spoken.as_slice()) {
                    (Some(named), _) => Some(named),
                    (None, [one]) => Some(*one),
                    (None, _) => None,
                }
            }
        }
    }

    /// The names of all events that clients may send, the CONNECT among them.
    pub fn events(&self) -> impl Iterator<Item = &str> {
        let events = self.all.iter().flat_map(|dialect| dialect.client.keys());
        events.map(|name| &**name).chain([CONNECT])
    }

    /// All namespaces that some dialect is spoken on, with their dialects.
    #[must_use]
    pub fn namespaces(&self) -> Vec<(Arc<str>, Vec<DialectId>)> {
        let pair = |(name, ids): (&Arc<str>, &Vec<DialectId>)| (Arc::clone(name), ids.clone());
        self.namespaces.iter().map(pair).collect()
    }

    /// Everywhere that some dialect is spoken.
    #[must_use]
    pub fn venues(&self) -> Vec<Venue> {
        let namespaces = self.namespaces.keys().cloned().map(Venue::Namespace);
        namespaces.chain(self.paths.keys().cloned().map(Venue::Path)).collect()
    }

    /// All paths of WebSockets that carry envelopes, each with its dialect.
    #[must_use]
    pub fn paths(&self) -> Vec<(Arc<str>, DialectId)> {
        self.paths.iter().map(|(path, id)| (Arc::clone(path), *id)).collect()
    }

    /// Understands one message of a client at `venue`.
    ///
    /// # Errors
    /// As [`Self::decode`] and [`Self::unseal`].
    pub fn understand(&self, venue: &Venue, text: &str) -> Result<Request, Malformed> {
        match venue {
            Venue::Namespace(namespace) => self.decode(namespace, text),
            Venue::Path(path) => self.unseal(path, text),
        }
    }

    /// Understands one envelope `{"type", "payload", "requestId"}` at `path`.
    ///
    /// # Errors
    /// No JSON object, too deep, an unknown type, or a payload of the wrong shape.
    pub fn unseal(&self, path: &str, text: &str) -> Result<Request, Malformed> {
        let dialect = self.paths.get(path).copied();
        let malformed = |request, event, refusal| Malformed { dialect, event, request, refusal };
        let Some(Envelope { name, payload, request: id }) = Envelope::open(text) else {
            return Err(malformed(None, None, Refusal::invalid("no JSON object")));
        };
        let request = id.and_then(|it| RequestId::parse(it.get()));
        if id.is_some() && request.is_none() {
            let reason = "requestId must be a text of at most 128 bytes";
            return Err(malformed(None, None, Refusal::invalid(reason)));
        }
        if json::is_too_deep(text) {
            return Err(malformed(request, None, Refusal::invalid("nested too deep")));
        }
        let Some(name) = name else {
            return Err(malformed(request, None, Refusal::invalid("type must be a text")));
        };
        let known = dialect.and_then(|id| Some((id, self.get(id).client.get_key_value(&*name)?)));
        let Some((dialect, (event, asked))) = known else {
            return Err(malformed(request, None, Refusal::UnknownEvent));
        };
        let (event, payload) = (Arc::clone(event), payload.into_iter().collect::<Vec<_>>());
        match asked.command(&payload, self.get(dialect).rules) {
            Ok((claims, command)) => {
                Ok(Request { dialect, event, terms: asked.terms, request, claims, command })
            }
            Err(refusal) => Err(malformed(request, Some(event), refusal)),
        }
    }

    /// Understands one packet: the JSON array `["name", …arguments]` of an event on `namespace`.
    ///
    /// # Errors
    /// No JSON, too deep, an unknown event, or arguments of the wrong shape.
    pub fn decode(&self, namespace: &str, packet: &str) -> Result<Request, Malformed> {
        let unknown = |refusal| Malformed { dialect: None, event: None, request: None, refusal };
        if json::is_too_deep(packet) {
            return Err(unknown(Refusal::invalid("nested too deep")));
        }
        let elements = json::elements(packet, 1 + ARGS_MAX)
            .map_err(|_no_json| unknown(Refusal::invalid("no JSON array")))?;
        let name = elements.first().and_then(|name| json::text(name.get()));
        let name = name.ok_or_else(|| unknown(Refusal::invalid("the event has no name")))?;
        let (id, name, event) =
            self.event(namespace, &name).ok_or_else(|| unknown(Refusal::UnknownEvent))?;
        let name = Arc::clone(name);
        match event.command(elements.get(1..).unwrap_or_default(), self.get(id).rules) {
            Ok((claims, command)) => {
                let terms = event.terms;
                Ok(Request { dialect: id, event: name, terms, request: None, claims, command })
            }
            Err(refusal) => {
                Err(Malformed { dialect: Some(id), event: Some(name), request: None, refusal })
            }
        }
    }

    /// Understands what a client sent with its CONNECT; `None`: the dialect asks nothing of it.
    ///
    /// # Errors
    /// No JSON, too deep, or of the wrong shape.
    pub fn greeting(
        &self,
        dialect: DialectId,
        payload: Option<&str>,
    ) -> Result<Option<Request>, Refusal> {
        let Dialect { greeting: Some(greeting), rules, .. } = self.get(dialect) else {
            return Ok(None);
        };
        if payload.is_some_and(json::is_too_deep) {
            return Err(Refusal::invalid("nested too deep"));
        }
        let payload = payload.map(serde_json::from_str::<&RawValue>).transpose();
        let payload = payload.map_err(|_no_json| Refusal::invalid("no JSON"))?;
        let args: Vec<&RawValue> = payload.into_iter().collect();
        let (claims, command) = greeting.command(&args, *rules)?;
        let (event, terms) = (Arc::from(CONNECT), greeting.terms);
        Ok(Some(Request { dialect, event, terms, request: None, claims, command }))
    }

    /// Whether files may come with the event of this packet: `["name", …`, perhaps cut off.
    #[must_use]
    pub fn takes_files(&self, namespace: &str, packet: &str) -> bool {
        let name = packet.strip_prefix('[').map(str::trim_start);
        let name = name.and_then(|it| it.strip_prefix('"')?.split_once('"'));
        let event = name.and_then(|(name, _)| self.event(namespace, name));
        event.is_some_and(|(_, _, event)| event.patterns.iter().any(Pattern::takes_files))
    }

    fn event(&self, namespace: &str, name: &str) -> Option<(DialectId, &Arc<str>, &ClientEvent)> {
        self.namespaces.get(namespace)?.iter().find_map(|&id| {
            let (name, event) = self.get(id).client.get_key_value(name)?;
            Some((id, name, event))
        })
    }
}
