// Files of tickets in a bucket: nodes that share nothing but Redis and a server that speaks S3.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { Cluster, SOON_MS, freePort, token, until } from "./cluster.js";
import { Person } from "./person.js";

const ACCESS_KEY = "parlance-test";
const SECRET_KEY = "a secret that only the nodes know";

let folder;
let bucket;
let cluster;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "parlance-bucket-"));
  mkdirSync(join(folder, "files"));
  const port = await freePort();
  cluster = await Cluster.start(2, {
    PARLANCE_BLOBS__URL: "s3://files/of/tickets",
    AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
    AWS_REGION: "eu-central-1",
    AWS_ACCESS_KEY_ID: ACCESS_KEY,
    AWS_SECRET_ACCESS_KEY: SECRET_KEY,
  });
  const keys = ["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY];
  const args = ["--host", "127.0.0.1", "--port", String(port), ...keys, folder];
  bucket = cluster.spawn("bucket", program(), args, {});
  await until("the bucket listens", () => listens(port));
});
after(async () => {
  bucket?.child.kill("SIGKILL");
  await cluster?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Where `deploy/test` installs the server. */
function program() {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
  const tools = process.env.PARLANCE_TOOLS ?? join(cache, "parlance-tools");
  const installed = join(tools, "bin/s3s-fs");
  return existsSync(installed) ? installed : "s3s-fs";
}

function listens(port) {
  return new Promise((done) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => done(true)).once("error", () => done(false));
    socket.once("connect", () => socket.destroy());
  });
}

function kept() {
  const prefix = join(folder, "files/of/tickets");
  const names = existsSync(prefix) ? readdirSync(prefix) : [];
  return names.filter((it) => !it.startsWith(".")).length;
}

async function enter(node, user) {
  const person = new Person(cluster.url(node), user, {
    auth: { token: token(user), dialect: "ticket" },
    transports: ["websocket"],
  });
  assert.equal((await person.ask("join_ticket", { ticketId: "1" })).ok, true);
  return person;
}

const send = (person, bytes, more = {}) => {
  const file = { name: "a.txt", type: "text/plain", data: bytes.toString("base64") };
  const message = { ticketId: "1", message: "see", attachments: [file], ...more };
  return person.socket.timeout(3 * SOON_MS).emitWithAck("send_message", message);
};

test("what one node keeps in a bucket another serves, and what is refused leaves it", async () => {
  const ann = await enter(0, "ann");
  const vic = await enter(1, "vic");
  const bytes = Buffer.alloc(2_000_000, "abc");
  assert.equal((await send(ann, bytes, { clientMessageId: "m-1" })).ok, true);
  const { data } = await vic.heard("new_message");
  const answer = await fetch(data.attachments[0].url);
  assert.ok(data.attachments[0].url.startsWith(cluster.url(1)));
  assert.ok(Buffer.from(await answer.arrayBuffer()).equals(bytes));
  const part = await fetch(data.attachments[0].url, { headers: { range: "bytes=3-5" } });
  assert.deepEqual([part.status, await part.text()], [206, "abc"]);
  assert.equal((await send(ann, bytes, { clientMessageId: "m-1" })).ok, true, "a retry");
  await until("there is one copy", () => kept() === 1);

  bucket.child.kill("SIGKILL");
  await bucket.exited;
  const refused = await send(ann, Buffer.from("hello"));
  assert.deepEqual([refused.error.code, refused.error.outcome], ["SERVER_ERROR", "refused"]);
  assert.equal((await ann.ask("send_message", { ticketId: "1", message: "without" })).ok, true);
  assert.equal((await vic.heard("new_message")).data.message, "without");
  assert.equal((await fetch(data.attachments[0].url)).status, 503);
  for (const person of [ann, vic]) person.leave();
});
