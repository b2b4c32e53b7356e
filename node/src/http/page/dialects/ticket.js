// Tickets: the token is shown once the connection is there, and messages carry files.

const ticketMessage = ({ id, ticketId, userId, userName, message, attachments, createdAt }) => ({
  id,
  room: ticketId,
  from: userId,
  name: plain(userName),
  text: plain(message),
  at: createdAt,
  files: attachments.map((it) => ({ ...it, name: plain(it.name) })),
});

const ticketUser = ({ ticketId, userId, userName }, more) => ({
  room: ticketId,
  user: userId,
  name: plain(userName),
  ...more,
});

const ticket = {
  namespace: "/",
  takesFiles: true,
  auth: () => ({ dialect: "ticket" }),
  greet: ({ token }) => ["authenticate", { token }],

  join: (room, since) => ["join_ticket", { ticketId: room, since }],
  entered: (room) => [
    ["get_messages", { ticketId: room, limit: 50, offset: 0 }],
    ["get_online_users", { ticketId: room }],
  ],
  leave: (room) => ["leave_ticket", { ticketId: room }],
  send: (room, text, key, files) => [
    "send_message",
    { ticketId: room, message: text, attachments: files, clientMessageId: key },
  ],
  sent: ({ id, createdAt }) => ({ id, at: createdAt }),
  typing: (room, active) => [active ? "typing_start" : "typing_stop", { ticketId: room }],

  hears: {
    "authenticated": ({ user }) => ["self", { user: user.id }],
    "authentication_error": ({ message }) => ["denied", { text: message }],
    "new_message": ({ data }) => ["message", ticketMessage(data)],
    "messages": ({ messages }) => ["history", { messages: messages.map(ticketMessage) }],
    "user_typing": (it) => ["typing", ticketUser(it, { active: true })],
    "user_stopped_typing": (it) => ["typing", ticketUser(it, { active: false })],
    "online_users": ({ ticketId, users }) => [
      "people",
      { users: users.map((it) => ticketUser({ ...it, ticketId }, { status: it.status })) },
    ],
    "user_joined_ticket": (it) => ["presence", ticketUser(it, { status: "online" })],
    "user_left_ticket": (it) => ["presence", ticketUser(it, { status: "offline" })],
    "ticket_closed": ({ ticketId }) => ["notice", { room: ticketId, text: "The ticket is closed." }],
    ...SHARED,
  },
};
