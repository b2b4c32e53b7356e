// The official client, unchanged, that opens a WebSocket at once: it never joins a room again, and
// yet hears every message after its connection was lost, each exactly once.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { Cluster, token, until } from "./cluster.js";
import { Person } from "./person.js";
import { Relay } from "./relay.js";

const ROOMS = Array.from({ length: 20 }, (_, index) => `room-${index}`);

let cluster;
before(async () => {
  // The last node is the writer's, and stays.
  cluster = await Cluster.start(3, {
    PARLANCE_LIMITS__EVENTS_PER_SECOND: "0",
    // Several pongs within a test, and no node that notices a lost client by itself.
    PARLANCE_HEARTBEAT__INTERVAL_MS: "300",
    PARLANCE_HEARTBEAT__TIMEOUT_MS: "60000",
    PARLANCE_DRAIN__SECONDS: "5",
    PARLANCE_DRAIN__NOTICE_SECONDS: "1",
  });
});
after(() => cluster.stop());

/** Somebody in all rooms, behind a relay, whose every connection is a recovered one but the first. */
class Traveller {
  static async start(user, node) {
    const traveller = new Traveller();
    traveller.relay = await Relay.to(cluster.nodes[node].port);
    const options = { transports: ["websocket"], reconnectionDelay: 50, reconnectionDelayMax: 200 };
    traveller.person = await Person.connect(traveller.relay.url, user, options);
    const { socket } = traveller.person;
    socket.on("connect", () => traveller.person.note("back", socket.recovered));
    for (const room of ROOMS) await traveller.person.ask("conversation:join", room);
    return traveller;
  }

  /** Does something to the connection, and waits for the next one: it is a recovered one. */
  async after(happens) {
    await happens();
    assert.equal(await this.person.heard("back"), true, "socket.recovered");
  }

  heardIn(room) {
    const messages = this.person.all("message:new");
    return messages.filter((it) => it.conversationId === room).map((it) => it.content);
  }

  end() {
    this.person.leave();
    this.relay.close();
  }
}

/** Writes into all rooms until it is told to stop; `said` holds what, by room. */
class Talk {
  constructor(writer) {
    this.said = new Map(ROOMS.map((room) => [room, []]));
    this.ended = this.#talk(writer);
  }

  async #talk(writer) {
    for (let number = 0; !this.isOver; number += 1) {
      await Promise.all(ROOMS.map((room) => this.#say(writer, room, String(number))));
      await sleep(10);
    }
    await Promise.all(ROOMS.map((room) => this.#say(writer, room, "the end")));
  }

  async #say(writer, room, content) {
    const answer = await writer.say(room, content);
    assert.equal(answer.ok, true, JSON.stringify(answer));
    this.said.get(room).push(content);
  }

  async end() {
    this.isOver = true;
    await this.ended;
  }
}

/** Everybody heard everything, in order; `isExact`: and nothing twice. */
async function check(talk, travellers, isExact = true) {
  await talk.end();
  for (const traveller of travellers) {
    for (const room of ROOMS) {
      const said = talk.said.get(room);
      await until(`the end of ${room}`, () => traveller.heardIn(room).includes("the end"));
      const heard = traveller.heardIn(room);
      const once = isExact ? heard : [...new Set(heard)];
      assert.deepEqual(once, said, `${traveller.person.user} in ${room}`);
    }
  }
}

async function writerAt(node) {
  const writer = await Person.connect(cluster.url(node), "writer", { transports: ["websocket"] });
  for (const room of ROOMS) await writer.ask("conversation:join", room);
  return writer;
}

test("a connection that is cut goes on, on the same node and on the other one", async () => {
  const writer = await writerAt(2);
  const traveller = await Traveller.start("cut", 0);
  const talk = new Talk(writer);
  for (const node of [0, 1, 1, 0, 0, 1]) {
    await sleep(250);
    traveller.relay.port = cluster.nodes[node].port;
    // In this dialect nobody hears what it says itself, also not when it comes back.
    assert.equal((await traveller.person.say(ROOMS[0], "its own")).ok, true);
    await traveller.after(() => traveller.relay.cut());
  }
  await check(talk, [traveller]);
  traveller.end();
  writer.leave();
});

test("a client that comes back before its loss was noticed doubles nothing", async () => {
  const writer = await writerAt(2);
  const traveller = await Traveller.start("lost", 0);
  const talk = new Talk(writer);
  for (const node of [1, 1, 0, 0]) {
    await sleep(250);
    traveller.relay.port = cluster.nodes[node].port;
    await traveller.after(() => traveller.relay.lose());
  }
  await check(talk, [traveller]);
  traveller.end();
  writer.leave();
});

test("nodes that are rolled, one after the other, lose nothing and double nothing", async () => {
  const travellers = await Promise.all([0, 0, 1, 1].map((node, index) =>
    Traveller.start(`rolled-${index}`, node)));
  const writer = await writerAt(2);
  const talk = new Talk(writer);
  for (const node of [0, 1]) {
    const other = cluster.nodes[1 - node].port;
    const moved = travellers.filter((it) => it.relay.port === cluster.nodes[node].port);
    moved.forEach((it) => { it.relay.port = other; });
    const left = cluster.drain(node);
    for (const traveller of moved) await traveller.after(() => {});
    assert.equal(await left, 0);
    cluster.launch(node);
    await cluster.ready(node);
  }
  await check(talk, travellers);
  travellers.forEach((it) => it.end());
  writer.leave();
});

test("after its node was killed a client misses nothing", async () => {
  const writer = await writerAt(2);
  const traveller = await Traveller.start("killed", 0);
  const talk = new Talk(writer);
  await sleep(1000);
  traveller.relay.port = cluster.nodes[1].port;
  await traveller.after(async () => {
    cluster.nodes[0].process.child.kill("SIGKILL");
    await cluster.nodes[0].process.exited;
  });
  await sleep(500);
  await check(talk, [traveller], false);
  traveller.end();
  writer.leave();
  cluster.launch(0);
  await cluster.ready(0);
});

test("the name of a connection is of no use to another user", async () => {
  const writer = await writerAt(2);
  const traveller = await Traveller.start("owner", 0);
  traveller.person.socket.auth = { token: token("eve") };
  traveller.relay.cut();
  assert.equal(await traveller.person.heard("back"), false);
  for (const room of [ROOMS[0], "eves"]) await writer.ask("conversation:join", room);
  await traveller.person.ask("conversation:join", "eves");
  await writer.say(ROOMS[0], "not for eve");
  await writer.say("eves", "for eve");
  await until("eve hears her own room", () => traveller.heardIn("eves").length === 1);
  assert.deepEqual(traveller.heardIn(ROOMS[0]), []);
  traveller.end();
  writer.leave();
});

test("who goes by itself is not given back what it had", async () => {
  const traveller = await Traveller.start("gone", 0);
  const { socket } = traveller.person;
  socket.disconnect();
  await traveller.person.heard("disconnect");
  socket.connect();
  assert.equal(await traveller.person.heard("back"), false);
  traveller.end();
});
