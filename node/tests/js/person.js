// Somebody with the official client, and a journal of what was heard.

import http from "node:http";
import { io } from "socket.io-client";

import { SOON_MS, token } from "./cluster.js";

export class Person {
  /** Connects, and waits until the server has said who this is. */
  static async connect(url, user, options = {}) {
    const person = new Person(url, user, options);
    await person.heard("connected");
    return person;
  }

  constructor(url, user, options) {
    this.user = user;
    this.events = [];
    this.taken = new Map();
    this.waiting = new Set();
    this.socket = io(url, { auth: { token: token(user) }, forceNew: true, ...options });
    this.socket.onAny((name, payload) => this.note(name, payload));
    for (const name of ["connect", "disconnect", "connect_error"]) {
      this.socket.on(name, (payload) => this.note(name, payload));
    }
  }

  note(name, payload) {
    this.events.push({ name, payload });
    for (const look of [...this.waiting]) look();
  }

  all(name) {
    return this.events.filter((it) => it.name === name).map((it) => it.payload);
  }

  /** The next event of this name, whatever else came before it. */
  async heard(name, withinMs = SOON_MS) {
    const index = this.taken.get(name) ?? 0;
    this.taken.set(name, index + 1);
    return new Promise((done, fail) => {
      const look = () => {
        const all = this.all(name);
        if (all.length <= index) return;
        clearTimeout(timer);
        this.waiting.delete(look);
        done(all[index]);
      };
      const timer = setTimeout(() => {
        this.waiting.delete(look);
        const names = this.events.map((it) => it.name).join(", ");
        fail(new Error(`${this.user} heard no ${name} number ${index + 1}, but ${names}`));
      }, withinMs);
      this.waiting.add(look);
      look();
    });
  }

  /** Sends an event and waits for its answer. */
  ask(event, argument) {
    return this.socket.timeout(SOON_MS).emitWithAck(event, argument);
  }

  say(conversationId, content) {
    return this.ask("message:send", { conversationId, content });
  }

  leave() {
    this.socket.disconnect();
  }
}

/** As if this client were on a machine of its own. */
export function from(address) {
  return { agent: new http.Agent({ localAddress: address, keepAlive: true }) };
}
