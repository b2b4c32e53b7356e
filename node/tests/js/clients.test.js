// The clients of the crisis chat and of the support desk, as they were written for other servers.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { Page } from "./clients/run.js";
import { Cluster, token } from "./cluster.js";

const clusters = [];
after(() => Promise.all(clusters.map((it) => it.stop())));

async function start(settings) {
  const cluster = await Cluster.start(2, settings);
  clusters.push(cluster);
  return cluster;
}

test("a crisis chat's client needs no token where clients are taken at their word", async () => {
  const cluster = await start({
    PARLANCE_AUTH__MODE: "trust",
    PARLANCE_AUTH__JWT_SECRET: "",
    PARLANCE_BLOBS__SECRET: "for links alone",
  });
  const page = new Page(cluster.url(1));
  const { socket } = page.run("case/connect.js", ["socket"]);
  const [, said] = await page.hears("log", (text) => text === "Connected:");
  assert.deepEqual(said, { success: true, message: "Authenticated" });
  const received = new Promise((done) => socket.on("message:receive", done));
  socket.emit("message:send", { caseId: "case-001", text: "help", sender: "user" });
  assert.equal((await received).userName, "John Doe");
  page.close();
});

test("a support desk's clients talk, type, see who is there and are told what is wrong", async () => {
  const cluster = await start({});
  const ids = { currentUser: { id: 123 }, currentClient: { id: 7 }, chatGroupId: 456 };
  const seen = { addMessageToChat: undefined, showTypingIndicator: undefined };
  const errors = { redirectToLogin: undefined, showErrorMessage: undefined, showWarning: undefined };
  const lists = { updateOnlineUsersList: undefined };

  const agent = new Page(cluster.url(0), { ...ids, currentChatGroup: 456, ...seen, ...errors, ...lists });
  agent.cookie = `access_token=${token("123", { role: "admin", name: "John van Doe" })}`;
  agent.names.socket = agent.run("desk/web.js", ["socket"]).socket;
  agent.run("desk/errors.js");
  agent.run("desk/lists.js");
  const { sendMessage, handleTyping } = agent.run("desk/chat.js", ["sendMessage", "handleTyping"]);
  await agent.hears("log", (text, room) => text === "Joined room:" && room === 456);
  const [, stats] = await agent.hears("log", (text) => text === "Room stats:");
  assert.equal(typeof stats.totalUsers, "number");

  const client = new Page(cluster.url(1), { ...ids, clientId: 7, currentChatGroup: 456, ...seen, ...errors });
  client.names.currentUser = { id: 7 };
  const { connectSocket } = client.run("desk/mobile.js", ["connectSocket"]);
  client.names.socket = connectSocket(token("7", { role: "client" }));
  client.run("desk/errors.js");
  await client.hears("log", (text) => text === "Mobile client connected");
  const there = (list) => list.onlineUsers.some((it) => it.userId === 7 && it.userType === "client");
  await agent.hears("updateOnlineUsersList", there);

  // The chat's snippet is an agent's: a client that says so of itself is denied.
  client.run("desk/chat.js");
  await client.hears("showErrorMessage", (text) => text === "Access denied to this chat room");
  const joined = await client.names.socket.emitWithAck("joinChatGroup", { groupId: 456 });
  assert.equal(joined.ok, true);

  const raised = new Promise((done) => agent.names.socket.on("customerListUpdate", done));
  const refresh = new Promise((done) => client.names.socket.on("updateChatGroups", done));
  sendMessage("Hello, how can I help you?");
  const [message] = await client.hears("addMessageToChat");
  assert.equal(message.chat_message, "Hello, how can I help you?");
  assert.deepEqual(message.sender.profile, { prof_firstname: "John van", prof_lastname: "Doe" });
  assert.equal((await refresh).action, "new_message");
  const { timestamp: _, ...first } = await raised;
  assert.deepEqual(first, { action: "sort", chatGroupId: 456, newPosition: 1 });
  handleTyping();
  const [typing] = await client.hears("showTypingIndicator");
  assert.deepEqual(typing, { chatGroupId: 456, userType: "agent", userId: 123, isTyping: true });

  for (let times = 0; times < 30; times += 1) sendMessage("again");
  await agent.hears("showWarning", (text) => text === "Please slow down your messages");
  const [, changed] = await agent.hears("log", (text, it) => text === "Room stats:" && it.totalUsers === 2);
  assert.deepEqual([changed.totalRooms, changed.activeRooms], [1, 1]);
  agent.close();
  client.close();
});

test("a support desk's client without a token is sent to its login", async () => {
  const cluster = await start({});
  const page = new Page(cluster.url(0), { currentUser: { id: 1 }, redirectToLogin: undefined });
  page.cookie = "theme=dark";
  page.names.socket = page.run("desk/web.js", ["socket"]).socket;
  page.names = { ...page.names, showErrorMessage() {}, showWarning() {} };
  page.run("desk/errors.js");
  await page.hears("redirectToLogin");
  page.close();
});
