// Real nodes over a real Redis, for one test file; all of it ends with the file.

import { spawn } from "node:child_process";
import { createHmac, randomInt } from "node:crypto";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const SECRET = "a secret that only tests know, long enough for HS256";
const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");
export const BINARY = process.env.PARLANCE_BIN ?? join(ROOT, "target/debug/parlance");

/** Longer than anything takes that is promised to be quick. */
export const SOON_MS = 10_000;

const children = new Set();
process.on("exit", () => children.forEach((child) => child.kill("SIGKILL")));
for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

/** Asks again and again until the answer is yes. */
export async function until(what, holds) {
  const deadline = performance.now() + SOON_MS;
  while (!(await holds())) {
    if (deadline < performance.now()) throw new Error(`${what}: not within ${SOON_MS} ms`);
    await sleep(20);
  }
}

/** A good token for an hour. */
export function token(user, claims = {}) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const body = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: user, name: user, exp, ...claims })}`;
  return `${body}.${createHmac("sha256", SECRET).update(body).digest("base64url")}`;
}

class Process {
  constructor(name, command, args, options) {
    this.name = name;
    this.log = options.log;
    const out = openSync(options.log, "a");
    const stdio = ["ignore", out, out];
    this.child = spawn(command, args, { cwd: options.dir, env: options.env, stdio });
    this.exited = new Promise((done) => this.child.once("exit", (code) => done(code)));
    children.add(this.child);
    this.child.once("exit", () => children.delete(this.child));
  }

  get isRunning() {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  assertRunning() {
    if (!this.isRunning) throw new Error(`${this.name} ended:\n${readFileSync(this.log, "utf8")}`);
  }
}

/** Test files are processes that run side by side: each draws ports from a range of its own. */
const FIRST_PORT = 10_000 + (process.pid % 30) * 300;
const portsGiven = new Set();

/** A port on this machine below those that the kernel gives to outgoing connections. */
export async function freePort() {
  for (;;) {
    const port = randomInt(FIRST_PORT, FIRST_PORT + 300);
    if (portsGiven.has(port)) continue;
    portsGiven.add(port);
    const free = await new Promise((done) => {
      const server = createServer().once("error", () => done(false));
      server.listen(port, "127.0.0.1", () => server.close(() => done(true)));
    });
    if (free) return port;
  }
}

export class Cluster {
  static async start(nodes, settings = {}) {
    const cluster = new Cluster();
    cluster.dir = mkdtempSync(join(tmpdir(), "parlance-js-"));
    cluster.settings = settings;
    const socket = join(cluster.dir, "redis.sock");
    const args = ["--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no"];
    cluster.redis = cluster.spawn("redis", "redis-server", args, { PATH: process.env.PATH });
    cluster.nodes = [];
    for (let index = 0; index < nodes; index += 1) {
      cluster.nodes.push({ port: await freePort(), internal: await freePort() });
      cluster.launch(index);
    }
    for (let index = 0; index < nodes; index += 1) await cluster.ready(index);
    return cluster;
  }

  spawn(name, command, args, env) {
    return new Process(name, command, args, { dir: this.dir, env, log: join(this.dir, `${name}.log`) });
  }

  launch(index) {
    const node = this.nodes[index];
    node.process = this.spawn(`node-${index}`, BINARY, [], {
      PARLANCE_LISTEN: `127.0.0.1:${node.port}`,
      PARLANCE_PUBLIC_URL: this.url(index),
      PARLANCE_INTERNAL_LISTEN: `127.0.0.1:${node.internal}`,
      PARLANCE_REDIS__URL: `unix://${join(this.dir, "redis.sock")}`,
      PARLANCE_AUTH__JWT_SECRET: SECRET,
      PARLANCE_ROOMS__POLICY: "open",
      PARLANCE_TRUSTED_PROXIES: "127.0.0.1/32",
      ...this.settings,
    });
  }

  async ready(index) {
    const node = this.nodes[index];
    await until(`node ${index} is ready`, async () => {
      node.process.assertRunning();
      const answer = await fetch(`http://127.0.0.1:${node.internal}/readyz`).catch(() => undefined);
      return answer?.status === 200;
    });
  }

  /** Asks a node to leave, and tells its exit code. */
  async drain(index) {
    const node = this.nodes[index];
    node.process.child.kill("SIGTERM");
    return node.process.exited;
  }

  /** Starts the proxy that deploy/local starts, in front of two nodes; answers its address. */
  async proxy() {
    const port = await freePort();
    const env = { PATH: process.env.PATH, PARLANCE_PROXY_BIND: `127.0.0.1:${port}` };
    for (const [index, node] of this.nodes.entries()) {
      env[`PARLANCE_NODE_${index + 1}`] = `127.0.0.1:${node.port}`;
      env[`PARLANCE_NODE_${index + 1}_CHECK`] = String(node.internal);
    }
    const file = join(ROOT, "deploy/haproxy/haproxy.cfg");
    this.haproxy = this.spawn("haproxy", "haproxy", ["-db", "-f", file], env);
    const url = `http://127.0.0.1:${port}`;
    await until("the proxy passes requests on", async () => {
      this.haproxy.assertRunning();
      return (await fetch(`${url}/health`).catch(() => undefined))?.status === 200;
    });
    return url;
  }

  url(index) {
    return `http://127.0.0.1:${this.nodes[index].port}`;
  }

  async stop() {
    const all = [this.haproxy, ...this.nodes.map((node) => node.process), this.redis];
    for (const it of all.filter((it) => it?.isRunning)) {
      it.child.kill("SIGKILL");
      await it.exited;
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}
