//! Who belongs to a room, and whom it is assigned to.

use http::{Method, StatusCode};

use crate::domain::room::MemberRole;
use crate::http::api::config::Scope;
use crate::http::api::operation::{Call, Operation};
use crate::http::api::problem::Problem;
use crate::http::api::rooms::{limit, user};
use crate::http::api::shape::{shapes, words};

pub(super) fn operations() -> Vec<Operation> {
    const MISSING: &[StatusCode] = &[StatusCode::NOT_FOUND];
    const APPENDS: &[StatusCode] = &[StatusCode::NOT_FOUND, StatusCode::INSUFFICIENT_STORAGE];
    let member = |method| (method, "/v1/rooms/{room}/members/{user}");
    vec![
        Operation::new(
            (Method::GET, "/v1/rooms/{room}/members"),
            ("listMembers", "Lists members; one may come twice while others come and go"),
            Scope::Read,
            list,
        )
        .refuses(MISSING),
        Operation::new(
            member(Method::PUT),
            ("putMember", "Makes a user a member, or assigns the room to an agent"),
            Scope::Rooms,
            put,
        )
        .refuses(APPENDS),
        Operation::new(
            member(Method::DELETE),
            ("removeMember", "Takes a user out; who may not stay is put out"),
            Scope::Rooms,
            remove,
        )
        .refuses(APPENDS),
        Operation::new(
            (Method::POST, "/v1/rooms/{room}/transfer"),
            ("transferRoom", "Assigns a room to another agent in one step"),
            Scope::Rooms,
            transfer,
        )
        .refuses(APPENDS),
    ]
}

words! {
    /// What a member is to a room.
    RoleName for MemberRole {
        /// Takes part.
        Member = "member",
        /// The room is assigned to this agent.
        Agent = "agent",
    }
}

shapes! {
    /// A member.
    answer Member {
        user_id: String,
        role: RoleName,
    }
}

shapes! {
    /// Which members are wanted.
    input MembersWanted {
        /// Where to go on, as an earlier page told.
        cursor: Option<String>,
        /// About how many; of a small room all are told.
        limit: Option<u64>,
    }
}

shapes! {
    /// A page of members.
    answer MembersPage {
        members: Vec<Member>,
        /// Where to go on; null behind the last page.
        next_cursor: Option<String>,
    }
}

shapes! {
    /// What a user is to be.
    input Membership {
        role: RoleName,
    }
}

shapes! {
    /// From whom and to whom a room goes.
    input Transfer {
        /// The agent who gives it up; left out: nobody does.
        from: Option<String>,
        /// The agent who takes it.
        to: String,
    }
}

async fn list(call: Call<MembersWanted, ()>) -> Result<MembersPage, Problem> {
    let from = call.query.cursor.as_deref().unwrap_or("0").parse();
    let from = from.map_err(|_no_number| Problem::invalid("cursor is none of a page's"))?;
    let count = u64::from(limit(call.query.limit)?);
    let page = call.parts.chat.members(&call.room()?, from, count).await?;
    let members = page
        .members
        .into_iter()
        .map(|(user, role)| Member { user_id: user.into(), role: role.into() });
    Ok(MembersPage { members: members.collect(), next_cursor: page.next.map(|it| it.to_string()) })
}

async fn put(call: Call<(), Membership>) -> Result<(), Problem> {
    let role = call.body.role.into();
    Ok(call.parts.chat.belong(&call.room()?, &[(call.user()?, Some(role))]).await?)
}

async fn remove(call: Call<(), ()>) -> Result<(), Problem> {
    Ok(call.parts.chat.belong(&call.room()?, &[(call.user()?, None)]).await?)
}

async fn transfer(call: Call<(), Transfer>) -> Result<(), Problem> {
    let mut changes = Vec::new();
    if let Some(from) = &call.body.from {
        changes.push((user(from)?, None));
    }
    changes.push((user(&call.body.to)?, Some(MemberRole::Agent)));
    Ok(call.parts.chat.belong(&call.room()?, &changes).await?)
}
