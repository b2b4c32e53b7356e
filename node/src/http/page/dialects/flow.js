// Envelopes of JSON over a plain WebSocket: `{ type, payload, requestId? }`.

const flowMessage = ({ id, roomId, userId, username, content, timestamp }) => ({
  id,
  room: roomId,
  from: userId,
  name: username,
  text: content,
  at: timestamp,
});

const flowUser = ({ roomId, userId, username }, more) => ({
  room: roomId,
  user: userId,
  name: username,
  ...more,
});

const flow = {
  path: "/ws",
  greet: ({ token, name, user }) => ["AUTHENTICATE", { token, username: name || user || undefined }],

  join: (room, since) => ["JOIN_ROOM", { roomId: room, since }],
  leave: (room) => ["LEAVE_ROOM", { roomId: room }],
  send: (room, text, key) => [
    "SEND_MESSAGE",
    { roomId: room, content: text, type: "text", clientMessageId: key },
  ],
  sent: ({ id, timestamp }) => ({ id, at: timestamp }),
  typing: (room, active) => ["TYPING_STATUS", { roomId: room, isTyping: active }],

  hears: {
    "AUTH_SUCCESS": ({ userId }) => ["self", { user: userId }],
    "ROOM_JOINED": ({ room, messages, users }) => [
      "inside",
      {
        messages: messages.map(flowMessage),
        users: users.map((it) => flowUser({ ...it, roomId: room.id }, { status: it.status })),
      },
    ],
    "NEW_MESSAGE": (it) => ["message", flowMessage(it)],
    "TYPING_UPDATE": (it) => ["typing", flowUser(it, { active: it.isTyping })],
    "USER_JOINED": (it) => ["presence", flowUser(it, { status: "online" })],
    "USER_LEFT": (it) => ["presence", flowUser(it, { status: "offline" })],
    "ROOM_CLOSED": ({ roomId }) => ["notice", { room: roomId, text: "The room is closed." }],
    "HISTORY_RESET": ({ room, position }) => ["reset", { room, position }],
    "TOKEN_EXPIRING": ({ expiresAt }) => ["notice", { text: `The token ends at ${expiresAt}.` }],
    "ERROR": ({ code, message }) =>
      code === "UNAUTHORIZED"
        ? ["denied", { text: message }]
        : ["problem", { text: `${message} (${code})` }],
  },
};
