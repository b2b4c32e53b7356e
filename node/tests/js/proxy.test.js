// Default clients behind the sticky proxy: long-polling first, no `withCredentials`.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Cluster } from "./cluster.js";
import { Person, from } from "./person.js";

const CLIENTS = 20;
const ROOM = "behind-a-proxy";

let cluster;
let url;
before(async () => {
  cluster = await Cluster.start(2, {
    PARLANCE_LIMITS__EVENTS_PER_SECOND: "0",
    PARLANCE_DRAIN__SECONDS: "6",
    PARLANCE_DRAIN__NOTICE_SECONDS: "2",
  });
  url = await cluster.proxy();
});
after(() => cluster.stop());

/** How many connections each node serves. */
async function spread() {
  const answers = await Promise.all([0, 1].map((node) => fetch(`${cluster.url(node)}/api/status`)));
  const pages = await Promise.all(answers.map((it) => it.json()));
  return pages.map((it) => it.connectedClients);
}

test("twenty default clients get a session, meet, and go on when a node leaves", async () => {
  const people = await Promise.all(
    Array.from({ length: CLIENTS }, (_, index) =>
      Person.connect(url, `user-${index}`, {
        ...from(`127.0.1.${index + 1}`),
        reconnectionDelayMax: 1000,
      }),
    ),
  );
  for (const person of people) {
    person.socket.on("connect", async () => {
      const since = person.all("message:new").at(-1)?.id;
      const join = { conversationId: ROOM, since };
      person.note("rejoined", await person.ask("conversation:join", join));
    });
    assert.equal((await person.ask("conversation:join", ROOM)).ok, true);
  }
  const served = await spread();
  assert.equal(served[0] + served[1], CLIENTS);
  assert.ok(0 < served[0] && 0 < served[1], `both nodes serve: ${served}`);

  const writer = await Person.connect(url, "writer", { transports: ["websocket"] });
  const stays = served[0] < served[1] ? 0 : 1;
  await writer.ask("conversation:join", ROOM);
  await writer.say(ROOM, "before");
  for (const person of people) await person.heard("message:new");
  writer.leave();

  // The node that serves more of them leaves; a writer that talks to the other one goes on.
  const other = await Person.connect(cluster.url(stays), "other", { transports: ["websocket"] });
  await other.ask("conversation:join", ROOM);
  const left = cluster.drain(1 - stays);
  await other.say(ROOM, "meanwhile");
  assert.equal(await left, 0);
  await other.say(ROOM, "after");
  for (const person of people) {
    await person.heard("message:new");
    await person.heard("message:new");
    const contents = person.all("message:new").map((it) => it.content);
    assert.deepEqual(contents, ["before", "meanwhile", "after"], person.user);
    person.leave();
  }
  other.leave();
});
