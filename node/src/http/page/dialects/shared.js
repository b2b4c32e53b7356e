// What each protocol calls things, one object and file each: how to ask for something (an event and
// its argument), what an answer says, and what an event that is heard means to this page.
//
//   auth(me), greet(me)            with the CONNECT; first thing on a connection
//   join, leave, send, typing      every protocol; without `leave` a room is only looked away from
//   read, status, entered          some: receipts, a status of one's own, what to ask once inside
//   joinsAtOnce, takesFiles        the CONNECT names a room; messages carry files
//   sent(answer)                   the id and the time of a message that was stored
//   hears                          by event: what it means, as a kind and its values
//
// `me` is `{ token, name, user, role, room }`, the user and the role those of the token; without a
// token the user is the name.

/** Events that are the same in all protocols of Socket.IO. */
const SHARED = {
  "history:reset": ({ room, position }) => ["reset", { room: String(room), position }],
  "token:expiring": ({ expiresAt }) => ["notice", { text: `The token ends at ${expiresAt}.` }],
  "error": ({ message, code }) => ["problem", { text: `${message} (${code})` }],
};

const ENTITIES = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&amp;": "&" };

/** A text that was escaped for pages which put texts into their markup; this one does not. */
function plain(text) {
  return text.replace(/&(lt|gt|quot|#39|amp);/g, (it) => ENTITIES[it]);
}
