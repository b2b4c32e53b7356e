// People with plain WebSockets talk on two nodes, in the messages that the protocol's documentation
// shows.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import WebSocket from "ws";

import { Cluster, SOON_MS, token } from "./cluster.js";

let cluster;
before(async () => {
  cluster = await Cluster.start(2);
});
after(() => cluster.stop());

class Talker {
  static async open(node, path = "/ws") {
    const talker = new Talker();
    talker.waiting = [];
    talker.unheard = [];
    talker.socket = new WebSocket(`${cluster.url(node).replace("http", "ws")}${path}`);
    talker.closed = new Promise((done) => talker.socket.once("close", done));
    talker.socket.on("message", (data) => talker.take(JSON.parse(data)));
    await new Promise((done, failed) => talker.socket.once("open", done).once("error", failed));
    return talker;
  }

  take(message) {
    const at = this.waiting.findIndex(({ type }) => type === message.type);
    if (at === -1) this.unheard.push(message);
    else this.waiting.splice(at, 1)[0].done(message);
  }

  send(message) {
    this.socket.send(JSON.stringify(message));
  }

  heard(type) {
    const at = this.unheard.findIndex((it) => it.type === type);
    if (at !== -1) return Promise.resolve(this.unheard.splice(at, 1)[0]);
    return new Promise((done, failed) => {
      this.waiting.push({ type, done });
      setTimeout(() => failed(new Error(`no ${type}; unheard: ${JSON.stringify(this.unheard)}`)), SOON_MS).unref();
    });
  }

  async authenticate(user) {
    this.send({ type: "AUTHENTICATE", payload: { token: token(user), username: user }, requestId: "unique_request_id" });
    const known = { userId: user, username: user, status: "online" };
    assert.deepEqual(await this.heard("AUTH_SUCCESS"), {
      type: "AUTH_SUCCESS",
      payload: known,
      requestId: "unique_request_id",
    });
  }

  async join() {
    this.send({ type: "JOIN_ROOM", payload: { roomId: "room_123" }, requestId: "unique_request_id" });
    const joined = await this.heard("ROOM_JOINED");
    assert.equal(joined.requestId, "unique_request_id");
    return joined.payload;
  }
}

test("the documented messages get the documented answers", async () => {
  const alice = await Talker.open(0);
  const bob = await Talker.open(1, "/");
  await alice.authenticate("alice");
  await bob.authenticate("bob");
  const { room, messages, users } = await alice.join();
  assert.deepEqual(Object.keys(room).sort(), ["createdAt", "description", "id", "memberCount", "name", "type"]);
  assert.deepEqual([room.id, room.type, room.memberCount, messages], ["room_123", "public", 1, []]);
  assert.equal(new Date(room.createdAt).toISOString(), room.createdAt);
  assert.deepEqual(users, [{ userId: "alice", username: "alice", status: "online" }]);
  assert.equal((await bob.join()).room.name, "room_123");

  alice.send({
    type: "SEND_MESSAGE",
    payload: { roomId: "room_123", content: "Hello, world!", type: "text" },
    requestId: "unique_request_id",
  });
  const message = await bob.heard("NEW_MESSAGE");
  assert.deepEqual(await alice.heard("NEW_MESSAGE"), message);
  const { id, timestamp, ...rest } = message.payload;
  assert.deepEqual(rest, {
    roomId: "room_123",
    userId: "alice",
    username: "alice",
    content: "Hello, world!",
    type: "text",
  });
  assert.equal(typeof id, "string");
  assert.equal(new Date(timestamp).toISOString(), timestamp);

  alice.send({ type: "TYPING_STATUS", payload: { roomId: "room_123", isTyping: true } });
  assert.deepEqual((await bob.heard("TYPING_UPDATE")).payload, {
    roomId: "room_123",
    userId: "alice",
    username: "alice",
    isTyping: true,
  });
  alice.socket.close();
  assert.equal((await bob.heard("USER_LEFT")).payload.userId, "alice");
  bob.socket.close(1000);
  assert.equal(await bob.closed, 1000);
});

test("a switch over the documented error codes knows every answer", async () => {
  const explain = (error) => {
    switch (error.payload.code) {
      case "UNAUTHORIZED":
        return "log in";
      case "INVALID_MESSAGE":
        return "mend";
      case "ROOM_NOT_FOUND":
      case "NOT_A_MEMBER":
        return "join";
      case "RATE_LIMIT_EXCEEDED":
        return "wait";
      case "SERVER_ERROR":
        return "retry";
      default:
        return undefined;
    }
  };
  const alice = await Talker.open(0);
  const asked = async (type, payload) => {
    alice.send({ type, payload, requestId: type });
    const error = await alice.heard("ERROR");
    assert.equal(error.requestId, type);
    assert.ok(error.payload.message);
    return explain(error);
  };
  assert.equal(await asked("JOIN_ROOM", { roomId: "room_123" }), "log in");
  assert.equal(await asked("AUTHENTICATE", { token: "jwt_token_here", username: "username" }), "log in");
  await alice.authenticate("alice");
  assert.equal(await asked("SEND_MESSAGE", { roomId: "room_123", content: "Hello, world!", type: "text" }), "join");
  assert.equal(await asked("JOIN_ROOM", {}), "mend");
  assert.equal(await asked("DANCE", {}), "mend");
  for (let number = 0; number < 100; number += 1) alice.send({ type: "DANCE" });
  const explained = [];
  while (explained.length < 100) explained.push(explain(await alice.heard("ERROR")));
  assert.deepEqual([...new Set(explained)].sort(), ["mend", "wait"]);
  alice.socket.close();
});
