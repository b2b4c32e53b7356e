//! What the application does with users: it tells them things, bars them, and puts them out.

use tracing::info;

use crate::chat::{Chat, unavailable};
use crate::clock;
use crate::domain::event::Event;
use crate::domain::id::UserId;
use crate::domain::moderation::{Bar, Barring, Term};
use crate::domain::presence::Device;
use crate::domain::refusal::Refusal;
use crate::domain::revoked::Revoked;
use crate::domain::signal::Signal;
use crate::domain::time::Timestamp;
use crate::domain::topic::Topic;
use crate::store::{Append, Seen};

impl Chat {
    /// Bars a user, or lifts that. Whoever is banned is put out. Answers until when.
    ///
    /// # Errors
    /// No such room, too much is revoked or banned already, or Redis could not be asked; asking again
    /// is harmless.
    pub async fn bar(&self, barring: Barring) -> Result<Timestamp, Refusal> {
        if let Some(room) = &barring.room {
            self.record(room).await?;
        }
        let until = self.store.bar(&barring).await.map_err(unavailable)?;
        let Barring { room, user, bar, term } = barring;
        match (bar, term, room) {
            (Bar::Mute, _, _) | (_, Term::Lifted, _) => (),
            (Bar::Ban, Term::Ever | Term::Seconds(_), Some(room)) => {
                let event = Event::AccessChanged { user: Some(user) };
                self.append(Append::of_application(&room, event)).await?;
            }
            (Bar::Ban, Term::Ever | Term::Seconds(_), None) => {
                self.put_out(&user);
                // The signal may be lost; this is read again by whoever has lost anything.
                self.revoke(Revoked::Leave(user)).await?;
            }
        }
        Ok(until)
    }

    /// Whether the user may not be here at all.
    ///
    /// # Errors
    /// Redis could not be asked.
    pub async fn is_banned(&self, user: &UserId) -> Result<bool, Refusal> {
        let until = self.store.banned_until(user).await.map_err(unavailable)?;
        Ok(clock::now() < until)
    }

    /// Ends every connection of a user, on all nodes.
    pub fn put_out(&self, user: &UserId) {
        info!(user.id = %user, "a user is disconnected by the application");
        self.store.signal(Topic::User(user.clone()), Signal::Disconnect);
    }

    /// Hands an event of the application's own to all connections of a user, as it is: a name that
    /// Socket.IO does not keep for itself, and a JSON value.
    pub fn emit(&self, user: &UserId, event: String, data: String) {
        self.store.signal(Topic::User(user.clone()), Signal::Emitted { event, data });
    }

    /// Shows all connections of a user something: a JSON value, in each dialect's own event.
    pub fn notify(&self, user: &UserId, data: String) {
        self.store.signal(Topic::User(user.clone()), Signal::Notification { data });
    }

    /// How a user is there.
    ///
    /// # Errors
    /// Redis could not be asked.
    pub async fn seen(&self, user: &UserId) -> Result<Seen, Refusal> {
        self.store.user_seen(user).await.map_err(unavailable)
    }

    /// A user's connections, as [`crate::store::Store::devices`] answers them.
    ///
    /// # Errors
    /// Redis could not be asked.
    pub async fn devices(&self, user: &UserId) -> Result<(Vec<Device>, bool), Refusal> {
        self.store.devices(user).await.map_err(unavailable)
    }

    /// Users who have a connection, as [`crate::store::Store::online`] answers them.
    ///
    /// # Errors
    /// Redis could not be asked.
    pub async fn connected(
        &self,
        from: u64,
        count: usize,
    ) -> Result<(Vec<(UserId, Seen)>, Option<u64>), Refusal> {
        self.store.online(from, count).await.map_err(unavailable)
    }
}
