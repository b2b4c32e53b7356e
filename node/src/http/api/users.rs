//! Users: told things, seen, put out; and the cluster's figures.

use http::Method;
use serde_json::Value;

use crate::domain::presence::{Device, Status};
use crate::http::api::config::Scope;
use crate::http::api::operation::{Call, Operation};
use crate::http::api::problem::Problem;
use crate::http::api::rooms::limit;
use crate::http::api::shape::{shapes, words};
use crate::store::Seen;

/// Names that Socket.IO keeps for itself: its libraries throw when an application uses one.
const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// Longest name of an event, in bytes.
const EVENT_BYTES_MAX: usize = 128;

/// Longest value that is handed to a user, in bytes.
const DATA_BYTES_MAX: usize = 64 * 1024;

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new(
            (Method::GET, "/v1/users"),
            ("listOnlineUsers", "Lists users who have a connection"),
            Scope::Read,
            online,
        ),
        Operation::new(
            (Method::GET, "/v1/users/{user}"),
            ("readUser", "Tells whether a user is online"),
            Scope::Read,
            read,
        ),
        Operation::new(
            (Method::GET, "/v1/users/{user}/connections"),
            ("listConnections", "Lists a user's connections on all nodes"),
            Scope::Read,
            connections,
        ),
        Operation::new(
            (Method::POST, "/v1/users/{user}/emit"),
            ("emitToUser", "Hands an event as it is to all connections of a user"),
            Scope::Users,
            emit,
        ),
        Operation::new(
            (Method::POST, "/v1/users/{user}/notify"),
            ("notifyUser", "Hands a notification to all connections of a user"),
            Scope::Users,
            notify,
        ),
        Operation::new(
            (Method::POST, "/v1/users/{user}/disconnect"),
            ("disconnectUser", "Ends all connections of a user"),
            Scope::Users,
            disconnect,
        ),
        Operation::new(
            (Method::GET, "/v1/stats"),
            ("readStats", "Tells the cluster's figures"),
            Scope::Read,
            stats,
        ),
    ]
}

words! {
    /// What a user is seen as.
    StatusName for Status {
        Online = "online",
        Away = "away",
        Busy = "busy",
        Offline = "offline",
    }
}

shapes! {
    /// How a user is there.
    answer UserSeen {
        user_id: String,
        /// The user has a connection, whatever the user is seen as.
        online: bool,
        status: StatusName,
        /// Nodes on which the user has connections.
        nodes: u64,
        /// When the first connection came or the last one went; null where it never did.
        since: Option<String>,
    }
}

impl UserSeen {
    fn of(user: String, seen: Seen) -> Self {
        Self {
            user_id: user,
            online: seen.nodes != 0,
            status: seen.status.into(),
            nodes: seen.nodes,
            since: (seen.at.0 != 0).then(|| seen.at.to_string()),
        }
    }
}

shapes! {
    /// A connection of a user.
    answer Connection {
        /// Not the id that its client knows: who knows that one can speak for the client.
        id: String,
        node: String,
        /// The protocols that it has used, or its usual one.
        dialects: Vec<String>,
        /// Since when it is the user's.
        since: String,
    }
}

shapes! {
    /// A user's connections.
    answer Connections {
        /// At most 100 of each node.
        connections: Vec<Connection>,
        /// Every node on which the user is has answered.
        complete: bool,
    }
}

impl Connection {
    fn of(device: Device) -> Self {
        let Device { node, conn, dialects, since } = device;
        Self {
            id: format!("{node}.{conn}"),
            node: format!("node-{}", node.index),
            dialects,
            since: since.to_string(),
        }
    }
}

shapes! {
    /// Which users are wanted.
    input UsersWanted {
        /// Where to go on, as an earlier page told.
        cursor: Option<String>,
        /// About how many: users are read in small groups.
        limit: Option<u64>,
    }
}

shapes! {
    /// Users who have a connection.
    answer UsersPage {
        users: Vec<UserSeen>,
        /// Where to go on; null behind the last page.
        next_cursor: Option<String>,
    }
}

shapes! {
    /// An event of the application's own.
    input EventToEmit {
        /// Not one that Socket.IO keeps for itself.
        event: String,
        /// Any value; at most 64 KiB.
        data: Option<Value>,
    }
}

shapes! {
    /// The cluster's figures.
    answer Stats {
        /// Living nodes.
        nodes: u64,
        /// Open connections.
        connected: u64,
        /// Rooms that a connection has joined; one counts once for each node.
        rooms: u64,
    }
}

fn data(value: &Value) -> Result<String, Problem> {
    let data = value.to_string();
    match data.len() {
        0..=DATA_BYTES_MAX => Ok(data),
        _ => Err(Problem::invalid(format!("the value is longer than {DATA_BYTES_MAX} bytes"))),
    }
}

async fn online(call: Call<UsersWanted, ()>) -> Result<UsersPage, Problem> {
    let from = call.query.cursor.as_deref().unwrap_or("0").parse();
    let from = from.map_err(|_no_number| Problem::invalid("cursor is none of a page's"))?;
    let count = limit(call.query.limit)? as usize;
    let (users, next) = call.parts.chat.connected(from, count).await?;
    let users = users.into_iter().map(|(user, seen)| UserSeen::of(user.into(), seen)).collect();
    Ok(UsersPage { users, next_cursor: next.map(|it| it.to_string()) })
}

async fn read(call: Call<(), ()>) -> Result<UserSeen, Problem> {
    let user = call.user()?;
    let seen = call.parts.chat.seen(&user).await?;
    Ok(UserSeen::of(user.into(), seen))
}

async fn connections(call: Call<(), ()>) -> Result<Connections, Problem> {
    let (devices, complete) = call.parts.chat.devices(&call.user()?).await?;
    Ok(Connections { connections: devices.into_iter().map(Connection::of).collect(), complete })
}

async fn emit(call: Call<(), EventToEmit>) -> Result<(), Problem> {
    let user = call.user()?;
    let EventToEmit { event, data: value } = call.body;
    let is_name = (1..=EVENT_BYTES_MAX).contains(&event.len())
        && !event.contains(char::is_control)
        && !RESERVED.contains(&event.as_str());
    if !is_name {
        return Err(Problem::invalid("event is no name that can be used"));
    }
    call.parts.chat.emit(&user, event, data(&value.unwrap_or(Value::Null))?);
    Ok(())
}

async fn notify(call: Call<(), Value>) -> Result<(), Problem> {
    call.parts.chat.notify(&call.user()?, data(&call.body)?);
    Ok(())
}

async fn disconnect(call: Call<(), ()>) -> Result<(), Problem> {
    call.parts.chat.put_out(&call.user()?);
    Ok(())
}

async fn stats(call: Call<(), ()>) -> Result<Stats, Problem> {
    let figures = call.parts.store.figures();
    let (nodes, connected) = (figures.nodes, figures.connections);
    Ok(Stats { nodes, connected, rooms: figures.rooms })
}
