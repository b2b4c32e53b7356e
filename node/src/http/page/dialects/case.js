// Crisis support: the CONNECT says who one is and enters a case; there is no way out but to go.

const caseUser = ({ userId, userName }) => ({ user: userId, name: userName });

const crisis = {
  namespace: "/chat",
  joinsAtOnce: true,
  auth: ({ token, name, user, role, room }) => ({
    token: token || undefined,
    userId: user,
    userName: name || user,
    caseId: room,
    role: role ?? "user",
  }),

  join: (room, since) => ["auth:join", { caseId: room, since }],
  send: (room, text, key) => ["message:send", { caseId: room, text, clientMessageId: key }],
  sent: ({ id, timestamp }) => ({ id, at: timestamp }),
  typing: (room, active) => [active ? "typing:start" : "typing:stop", { caseId: room }],

  hears: {
    "auth:authenticated": (_, { user }) => ["self", { user }],
    "auth:error": ({ message }) => ["denied", { text: message }],
    "message:receive": ({ id, caseId, text, userId, userName, timestamp }) => [
      "message",
      { id, room: caseId, from: userId, name: userName, text, at: timestamp },
    ],
    "typing:start": ({ caseId, userName }) => [
      "typing",
      { user: userName, room: caseId, active: true },
    ],
    // Who has stopped is not told.
    "typing:stop": ({ caseId }) => ["typing", { room: caseId, active: false }],
    "user:online": (it) => ["presence", { ...caseUser(it), room: it.caseId, status: "online" }],
    "user:offline": (it) => ["presence", { ...caseUser(it), room: it.caseId, status: "offline" }],
    "session:closed": ({ caseId }) => ["notice", { room: caseId, text: "The case is closed." }],
    ...SHARED,
  },
};
