// Runs clients that were written for other servers as they are, but for the server's address.

import { readFileSync } from "node:fs";
import { io } from "socket.io-client";

import { until } from "../cluster.js";

/** What the page around a client would provide, and what it was told. */
export class Page {
  constructor(url, names = {}) {
    this.url = url;
    this.told = [];
    this.sockets = [];
    const note = (name) => (...values) => this.told.push([name, ...values]);
    this.names = { console: { log: note("log"), error: note("error") }, ...names };
    for (const [name, value] of Object.entries(names)) {
      if (value === undefined) this.names[name] = note(name);
    }
  }

  /** Runs a client's file, and answers what it has defined of `defined`. */
  run(file, defined = []) {
    const source = readFileSync(new URL(file, import.meta.url), "utf8")
      .replace(/^import .*$/m, "")
      .replace(/http:\/\/localhost:\d+/, this.url);
    const names = { io: (...args) => this.open(...args), ...this.names };
    const body = `"use strict";\n${source}\nreturn { ${defined.join(", ")} };`;
    return new Function(...Object.keys(names), body)(...Object.values(names));
  }

  open(url, options) {
    // A browser would send its cookies, and open a connection of its own for each page.
    const cookie = options.withCredentials ? { extraHeaders: { cookie: this.cookie } } : {};
    const socket = io(url, { forceNew: true, ...options, ...cookie });
    this.sockets.push(socket);
    return socket;
  }

  /** Waits until the page was told this; answers the values. */
  async hears(name, fits = () => true) {
    const found = () => this.told.find(([told, ...values]) => told === name && fits(...values));
    await until(`${name}, but ${JSON.stringify(this.told)}`, found);
    return found().slice(1);
  }

  close() {
    for (const socket of this.sockets) socket.disconnect();
  }
}
