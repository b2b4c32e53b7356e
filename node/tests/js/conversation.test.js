// People with the official client converse on two nodes.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { io } from "socket.io-client";

import { Cluster, token } from "./cluster.js";
import { Person, from } from "./person.js";

let cluster;
before(async () => {
  cluster = await Cluster.start(2, { PARLANCE_LIMITS__EVENTS_PER_SECOND: "0" });
});
after(() => cluster.stop());

const ways = {
  "default transports": {},
  "a WebSocket at once": { transports: ["websocket"] },
  "long-polling alone": { transports: ["polling"] },
};

for (const [way, options] of Object.entries(ways)) {
  test(`two people on two nodes converse over ${way}`, async () => {
    const room = `room over ${way}`.replaceAll(" ", "-");
    const alice = await Person.connect(cluster.url(0), "alice", { ...options, ...from("127.0.0.2") });
    const bob = await Person.connect(cluster.url(1), "bob", { ...options, ...from("127.0.0.3") });
    for (const person of [alice, bob]) {
      assert.equal((await person.ask("conversation:join", room)).ok, true);
    }
    assert.equal((await alice.heard("user:online")).userId, "bob");

    alice.socket.emit("typing:start", { conversationId: room });
    assert.deepEqual(await bob.heard("typing:start"), { userId: "alice", conversationId: room });
    alice.socket.emit("typing:stop", { conversationId: room });
    assert.deepEqual(await bob.heard("typing:stop"), { userId: "alice", conversationId: room });

    const ack = await alice.say(room, "hello, world – ¡hola! 👋");
    const message = await bob.heard("message:new");
    assert.deepEqual(message, {
      id: ack.id,
      conversationId: room,
      senderId: "alice",
      content: "hello, world – ¡hola! 👋",
      type: "text",
      timestamp: ack.timestamp,
    });
    assert.equal((await alice.heard("message:delivered")).messageId, ack.id);
    bob.socket.emit("message:read", { messageId: message.id });
    assert.deepEqual(await alice.heard("message:read"), { messageId: ack.id, userId: "bob" });

    bob.socket.emit("user:status", "away");
    assert.deepEqual(await alice.heard("user:online"), { userId: "bob", status: "away" });

    const refused = await alice.ask("message:send", { conversationId: "not-joined", content: "x" });
    assert.equal(refused.error.code, "NOT_A_MEMBER");
    alice.socket.emit("message:send", { conversationId: room });
    assert.equal((await alice.heard("error")).code, "INVALID_DATA");

    bob.leave();
    assert.deepEqual(await alice.heard("user:offline"), { userId: "bob" });
    alice.leave();
  });
}

test("a default client starts with long-polling and moves to a WebSocket, losing nothing", async () => {
  const alice = await Person.connect(cluster.url(0), "alice", { transports: ["websocket"] });
  const bob = new Person(cluster.url(1), "bob", {});
  const upgraded = new Promise((done) => bob.socket.io.engine.once("upgrade", done));
  assert.equal(bob.socket.io.engine.transport.name, "polling");
  for (const person of [alice, bob]) await person.ask("conversation:join", "moving");
  const said = [];
  // Goes on while the transport changes under it, and a little after.
  let moved = false;
  upgraded.then(() => (moved = true));
  for (let number = 1; !moved || number <= 50; number += 1) {
    said.push(String(number));
    await alice.say("moving", String(number));
  }
  assert.equal(bob.socket.io.engine.transport.name, "websocket");
  while (bob.all("message:new").length < said.length) await bob.heard("message:new");
  assert.deepEqual(bob.all("message:new").map((it) => it.content), said);
  alice.leave();
  bob.leave();
});

test("the client as its users write it is served unchanged", async () => {
  const socket = io(cluster.url(0), {
    auth: {
      token: token("carol"),
    },
    transports: ["websocket", "polling"],
    reconnection: true,
    reconnectionDelay: 1000,
    reconnectionAttempts: 5,
  });
  const heard = { connect: 0, errors: [] };
  socket.on("connect", () => (heard.connect += 1));
  socket.on("error", (error) => heard.errors.push(error));
  const connected = await new Promise((done) => socket.on("connected", done));
  assert.deepEqual(connected, { userId: "carol", socketId: socket.id });

  const dave = await Person.connect(cluster.url(1), "dave");
  await dave.ask("conversation:join", "conv-123");
  socket.emit("conversation:join", "conv-123");
  assert.equal((await dave.heard("user:online")).userId, "carol");
  socket.emit("message:send", { conversationId: "conv-123", content: "Hello, world!", type: "text" });
  assert.equal((await dave.heard("message:new")).content, "Hello, world!");
  socket.emit("conversation:leave", "conv-123");
  socket.disconnect();
  assert.equal((await dave.heard("user:offline")).userId, "carol");
  assert.deepEqual(heard, { connect: 1, errors: [] });
  dave.leave();
});

test("a bad token is a connect error with the documented code", async () => {
  for (const transports of [["websocket"], ["polling"]]) {
    const person = new Person(cluster.url(0), "x", { transports, auth: { token: "garbage" } });
    const error = await person.heard("connect_error");
    assert.ok(["Authentication required", "AUTH_REQUIRED"].includes(error.message), error.message);
    assert.equal(person.socket.active, false, "it does not try again by itself");
    person.leave();
  }
});
