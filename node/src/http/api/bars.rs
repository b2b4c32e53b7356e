//! Users who may not write, or may not be there: in a room, or everywhere.

use http::{Method, StatusCode};

use crate::domain::moderation::{Bar, Barring, Term};
use crate::http::api::config::Scope;
use crate::http::api::operation::{Call, Operation};
use crate::http::api::problem::Problem;
use crate::http::api::shape::shapes;

/// Name and summary of an operation.
type Named = (&'static str, &'static str);

pub(super) fn operations() -> Vec<Operation> {
    const BANNED_THERE: Named =
        ("banFromRoom", "Keeps a user out of a room, for a while or until it is lifted");
    const MUTED_THERE: Named = ("muteInRoom", "Takes no messages of a user in a room");
    const BANNED: Named = ("banUser", "Ends all connections of a user and takes no new ones");
    const MUTED: Named = ("muteUser", "Takes no messages of a user in any room");
    let again = "Takes messages of a user again";
    [
        of(
            "/v1/rooms/{room}/bans/{user}",
            Bar::Ban,
            BANNED_THERE,
            ("unbanFromRoom", "Lifts a ban"),
        ),
        of("/v1/rooms/{room}/mutes/{user}", Bar::Mute, MUTED_THERE, ("unmuteInRoom", again)),
        of("/v1/users/{user}/ban", Bar::Ban, BANNED, ("unbanUser", "Lifts a ban")),
        of("/v1/users/{user}/mute", Bar::Mute, MUTED, ("unmuteUser", again)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Setting a bar and lifting it.
fn of(path: &'static str, bar: Bar, sets: Named, lifts: Named) -> [Operation; 2] {
    const MISSING: &[StatusCode] = &[StatusCode::NOT_FOUND];
    const APPENDS: &[StatusCode] = &[StatusCode::NOT_FOUND, StatusCode::INSUFFICIENT_STORAGE];
    const TOLD: &[StatusCode] = &[StatusCode::INSUFFICIENT_STORAGE];
    // A ban is told in the room's log, or to all nodes.
    let (refusals, missing) = match (path.contains("{room}"), bar) {
        (true, Bar::Ban) => (APPENDS, MISSING),
        (true, Bar::Mute) => (MISSING, MISSING),
        (false, Bar::Ban) => (TOLD, [].as_slice()),
        (false, Bar::Mute) => ([].as_slice(), [].as_slice()),
    };
    let set = Operation::new((Method::PUT, path), sets, Scope::Users, move |call| set(call, bar));
    let lift =
        Operation::new((Method::DELETE, path), lifts, Scope::Users, move |call| lift(call, bar));
    [set.refuses(refusals), lift.refuses(missing)]
}

shapes! {
    /// For how long.
    input ForHowLong {
        /// Left out: until it is lifted.
        seconds: Option<u64>,
    }
}

/// Longest bar that ends by itself: a hundred years.
const SECONDS_MAX: u64 = 3_153_600_000;

impl ForHowLong {
    fn term(&self) -> Result<Term, Problem> {
        match self.seconds {
            None => Ok(Term::Ever),
            Some(seconds @ 1..=SECONDS_MAX) => Ok(Term::Seconds(seconds)),
            Some(_) => Err(Problem::invalid("seconds has to be 1 to a hundred years")),
        }
    }
}

async fn set(call: Call<(), ForHowLong>, bar: Bar) -> Result<(), Problem> {
    let term = call.body.term()?;
    carry_out(&call, bar, term).await
}

async fn lift(call: Call<(), ()>, bar: Bar) -> Result<(), Problem> {
    carry_out(&call, bar, Term::Lifted).await
}

async fn carry_out<B>(call: &Call<(), B>, bar: Bar, term: Term) -> Result<(), Problem> {
    let barring = Barring { room: call.room_if_named()?, user: call.user()?, bar, term };
    call.parts.chat.bar(barring).await?;
    Ok(())
}
