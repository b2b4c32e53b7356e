// Connections that break the way that networks break them, between a client and a node.

import { connect, createServer } from "node:net";

export class Relay {
  #pairs = new Set();
  #server;
  /** The port that new connections go to; nobody answers there while it is 0. */
  port;

  static async to(port) {
    const relay = new Relay();
    relay.port = port;
    relay.#server = createServer((client) => relay.#join(client));
    await new Promise((done) => relay.#server.listen(0, "127.0.0.1", done));
    return relay;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  #join(client) {
    const node = connect(this.port, "127.0.0.1");
    const pair = { client, node };
    this.#pairs.add(pair);
    for (const [from, to] of [[client, node], [node, client]]) {
      from.on("error", () => from.destroy());
      from.on("close", () => {
        this.#pairs.delete(pair);
        if (!pair.isHalf) to.destroy();
      });
      from.pipe(to);
    }
  }

  /** Both ends see their connections end. */
  cut() {
    for (const { client, node } of [...this.#pairs]) {
      client.destroy();
      node.destroy();
    }
  }

  /** The client sees its connections end; the node hears no more, and does not notice. */
  lose() {
    for (const pair of [...this.#pairs]) {
      pair.isHalf = true;
      pair.node.unpipe();
      pair.client.unpipe();
      pair.node.resume();
      pair.client.destroy();
    }
  }

  close() {
    this.#server.close();
    this.cut();
  }
}
