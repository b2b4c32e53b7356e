// Clients of a node that leaves go on elsewhere by themselves, and ask for what they missed.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Cluster } from "./cluster.js";
import { Person, from } from "./person.js";

let cluster;
before(async () => {
  cluster = await Cluster.start(2, {
    PARLANCE_LIMITS__EVENTS_PER_SECOND: "0",
    PARLANCE_DRAIN__SECONDS: "4",
    PARLANCE_DRAIN__NOTICE_SECONDS: "1",
  });
});
after(() => cluster.stop());

/** Rejoins at each connection, from the last message that was heard. */
async function settle(person, room) {
  const join = async () => {
    const since = person.all("message:new").at(-1)?.id;
    const joined = await person.ask("conversation:join", { conversationId: room, since });
    person.note("joined", joined);
  };
  person.socket.on("connect", join);
  if (person.socket.connected) await join();
}

test("after a drain unchanged clients reconnect by themselves and miss nothing", async () => {
  const room = "drained";
  const writer = await Person.connect(cluster.url(1), "writer", { transports: ["websocket"] });
  await writer.ask("conversation:join", room);
  const ways = [{}, { transports: ["websocket"] }, { transports: ["polling"] }];
  const travellers = [];
  for (const [index, way] of ways.entries()) {
    const options = { ...way, ...from(`127.0.0.${10 + index}`), reconnectionDelayMax: 1000 };
    const person = await Person.connect(cluster.url(0), `traveller-${index}`, options);
    await settle(person, room);
    await person.heard("joined");
    travellers.push(person);
  }
  await writer.say(room, "before");
  for (const person of travellers) await person.heard("message:new");

  const left = cluster.drain(0);
  for (const person of travellers) await person.heard("disconnect");
  await writer.say(room, "meanwhile");
  assert.equal(await left, 0);
  // Another process takes the place of the one that left, as behind any address of a cluster.
  cluster.launch(0);
  await cluster.ready(0);
  for (const person of travellers) {
    assert.notEqual(person.all("disconnect")[0], "io server disconnect", "it may come back");
    assert.equal((await person.heard("joined")).resumed, true);
  }
  await writer.say(room, "after");
  for (const person of travellers) {
    await person.heard("message:new");
    await person.heard("message:new");
    const contents = person.all("message:new").map((it) => it.content);
    assert.deepEqual(contents, ["before", "meanwhile", "after"]);
    person.leave();
  }
  writer.leave();
});
