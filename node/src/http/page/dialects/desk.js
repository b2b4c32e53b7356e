// A support desk: one chat at a time, ids that may be numbers, and a list of all who are online.

const deskUsers = (users) => [
  "people",
  { users: users.map(({ userId }) => ({ user: String(userId), status: "online" })) },
];

const desk = {
  namespace: "/desk",
  auth: ({ token }) => ({ token }),
  greet: () => ["userOnline", {}],

  join: (room, since) => ["joinChatGroup", { groupId: room, since }],
  entered: () => [["getOnlineUsers"]],
  leave: (room) => ["leaveRoom", { chatGroupId: room }],
  send: (room, text, key) => [
    "sendMessage",
    { chatGroupId: room, message: text, clientMessageId: key },
  ],
  sent: ({ chat_id, chat_created_at }) => ({ id: String(chat_id), at: chat_created_at }),
  typing: (room, active) => [active ? "typing" : "stopTyping", { chatGroupId: room }],

  hears: {
    "userStatusUpdated": ({ userId }) => ["self", { user: String(userId) }],
    "onlineUsersUpdate": ({ onlineUsers }) => deskUsers(onlineUsers),
    "onlineUsersList": deskUsers,
    "receiveMessage": ({ chat_id, chat_message, chat_created_at, chatGroupId, sender }) => [
      "message",
      {
        id: String(chat_id),
        seq: chat_id,
        room: String(chatGroupId),
        from: String(sender.userId),
        name: plain(`${sender.profile.prof_firstname} ${sender.profile.prof_lastname}`.trim()),
        text: plain(chat_message),
        at: chat_created_at,
      },
    ],
    "typing": ({ userId, chatGroupId }) => [
      "typing",
      { user: String(userId), room: String(chatGroupId), active: true },
    ],
    "stopTyping": ({ userId, chatGroupId }) => [
      "typing",
      { user: String(userId), room: String(chatGroupId), active: false },
    ],
    "userJoined": ({ userId, chatGroupId }) => [
      "presence",
      { user: String(userId), room: String(chatGroupId), status: "online" },
    ],
    "userLeft": ({ userId, chatGroupId }) => [
      "presence",
      { user: String(userId), room: String(chatGroupId), status: "offline" },
    ],
    "updateChatGroups": ({ action, chatGroupId }) =>
      action === "closed" && ["notice", { room: String(chatGroupId), text: "The chat is closed." }],
    ...SHARED,
  },
};
