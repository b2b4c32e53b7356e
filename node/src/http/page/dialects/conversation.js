// Conversations with receipts and statuses. The others hear a message; its author has the answer.

const conversation = {
  namespace: "/conversation",
  auth: ({ token }) => ({ token }),

  join: (room, since) => ["conversation:join", { conversationId: room, since }],
  leave: (room) => ["conversation:leave", { conversationId: room }],
  send: (room, text, key) => [
    "message:send",
    { conversationId: room, content: text, clientMessageId: key },
  ],
  sent: ({ id, timestamp }) => ({ id, at: timestamp }),
  read: (id) => ["message:read", { messageId: id }],
  typing: (room, active) => [active ? "typing:start" : "typing:stop", { conversationId: room }],
  status: (status) => ["user:status", status],

  hears: {
    "connected": ({ userId }) => ["self", { user: userId }],
    "message:new": ({ id, conversationId, senderId, content, timestamp }) => [
      "message",
      { id, room: conversationId, from: senderId, text: content, at: timestamp },
    ],
    "message:delivered": ({ messageId }) => ["delivered", { id: messageId }],
    "message:read": ({ messageId, userId }) => ["read", { id: messageId, user: userId }],
    "typing:start": ({ userId, conversationId }) => [
      "typing",
      { user: userId, room: conversationId, active: true },
    ],
    "typing:stop": ({ userId, conversationId }) => [
      "typing",
      { user: userId, room: conversationId, active: false },
    ],
    "user:online": ({ userId, status }) => ["presence", { user: userId, status }],
    "user:offline": ({ userId }) => ["presence", { user: userId, status: "offline" }],
    "conversation:updated": ({ id }) => ["notice", { room: id, text: "The room was changed." }],
    "conversation:deleted": ({ conversationId }) => ["deleted", { room: conversationId }],
    "notification:new": (data) => ["notice", { text: `Notification: ${JSON.stringify(data)}` }],
    ...SHARED,
  },
};
