// Tickets with files, as their users' own code speaks, over each transport.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import io from "socket.io-client";

import { Cluster, SOON_MS, token, until } from "./cluster.js";

const MIB = 1024 * 1024;

let cluster;
before(async () => {
  cluster = await Cluster.start(2);
});
after(() => cluster.stop());

const kept = () => readdirSync(join(cluster.dir, "data/files")).length;

/** The client's class as its users have it, but for the address. */
const classAt = (url, options) =>
  class ChatClient {
    constructor(token) {
      this.socket = io(url, options);
      this.authenticate(token);
    }

    authenticate(token) {
      this.socket.emit("authenticate", { token });
      this.socket.on("authenticated", (data) => {
        this.user = data.user;
      });
    }

    joinTicket(ticketId) {
      this.socket.emit("join_ticket", { ticketId });
    }

    sendMessage(ticketId, message) {
      this.socket.emit("send_message", { ticketId, message });
    }
  };

function connect(node, user, options) {
  const ChatClient = classAt(cluster.url(node), { forceNew: true, ...options });
  return new ChatClient(token(user));
}

const heard = (client, event) => new Promise((done) => client.socket.once(event, done));

const ways = {
  "default transports": {},
  "a WebSocket at once": { transports: ["websocket"] },
  "long-polling alone": { transports: ["polling"] },
};

for (const [way, options] of Object.entries(ways)) {
  test(`files of all sizes arrive over ${way}`, async () => {
    const room = way.replaceAll(" ", "-");
    const before = kept();
    const [ann, vic] = [connect(0, "ann", options), connect(1, "vic", options)];
    for (const client of [ann, vic]) {
      client.joinTicket(room);
      await heard(client, "joined_ticket");
    }
    assert.equal(ann.user.id, "ann");
    const told = [heard(ann, "new_message"), heard(vic, "new_message")];
    ann.sendMessage(room, "Hello");
    assert.equal((await told[1]).data.message, "Hello");

    const largest = Buffer.alloc(10 * MIB, "0123456789abcdef");
    const files = [
      { name: "document.pdf", type: "application/pdf", bytes: Buffer.from("%PDF-1.7\n%%EOF") },
      { name: "large.txt", type: "text/plain", bytes: largest },
      { name: "also.txt", type: "text/plain", bytes: largest.subarray(0, 8 * MIB) },
    ];
    const hearing = heard(vic, "new_message");
    ann.socket.emit("send_message", {
      ticketId: room,
      message: "Check this file!",
      attachments: files.map(({ name, type, bytes }) => ({ name, type, data: bytes.toString("base64") })),
    });
    const { attachments } = (await hearing).data;
    assert.deepEqual(
      attachments.map(({ name, type, size }) => ({ name, type, size })),
      files.map(({ name, type, bytes }) => ({ name, type, size: bytes.length })),
    );
    for (const [index, { url }] of attachments.entries()) {
      const answer = await fetch(url);
      assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
      assert.ok(Buffer.from(await answer.arrayBuffer()).equals(files[index].bytes));
    }
    assert.equal(kept(), before + 3);

    const ask = (attachments, message = "x") =>
      ann.socket.timeout(3 * SOON_MS).emitWithAck("send_message", { ticketId: room, message, attachments });
    const text = (bytes) => ({ name: "a.txt", type: "text/plain", data: bytes.toString("base64") });
    const tooLarge = await ask([text(Buffer.alloc(10 * MIB + 1, "a"))]);
    assert.equal(tooLarge.error.code, "INVALID_DATA");
    assert.equal((await ask([text(Buffer.alloc(3, "a"))], "x".repeat(2 * MIB))).error.code, "INVALID_DATA");
    assert.equal((await ask([text(Buffer.alloc(3, "a"))])).ok, true);
    await until("only the last one was kept", () => kept() === before + 4);

    vic.socket.emit("get_messages", { ticketId: room, limit: 50, offset: 0 });
    const { messages } = await heard(vic, "messages");
    assert.deepEqual(messages.map((it) => it.attachments.length), [0, 3, 1]);
    assert.equal((await fetch(messages[1].attachments[0].url)).status, 200);
    for (const client of [ann, vic]) client.socket.close();
  });
}

/** As much of React as a hook needs: state that lasts, and effects when their inputs change. */
class Component {
  static current;
  #body;
  #slots = [];
  #next;

  constructor(body) {
    this.#body = body;
    this.render();
  }

  render() {
    Component.current = this;
    this.#next = 0;
    this.value = this.#body();
  }

  state(initial) {
    const at = this.#next++;
    this.#slots[at] ??= { value: initial };
    const slot = this.#slots[at];
    const set = (next) => {
      slot.value = typeof next === "function" ? next(slot.value) : next;
      this.render();
    };
    return [slot.value, set];
  }

  effect(run, inputs) {
    const at = this.#next++;
    const before = this.#slots[at]?.inputs;
    if (before && inputs.every((it, index) => it === before[index])) return;
    this.#slots[at] = { inputs };
    queueMicrotask(() => (this.#slots[at].end = run()));
  }

  unmount() {
    for (const slot of this.#slots) slot.end?.();
  }
}

test("the hook as its users have it sends and hears", async () => {
  const useState = (initial) => Component.current.state(initial);
  const useEffect = (run, inputs) => Component.current.effect(run, inputs);

  function useWebSocketChat(token, ticketId) {
    const [socket, setSocket] = useState(null);
    const [messages, setMessages] = useState([]);
    const [isConnected, setIsConnected] = useState(false);

    useEffect(() => {
      const newSocket = io(cluster.url(0));
      setSocket(newSocket);

      newSocket.on("connect", () => setIsConnected(true));
      newSocket.on("disconnect", () => setIsConnected(false));

      newSocket.on("authenticated", () => {
        newSocket.emit("join_ticket", { ticketId });
      });

      newSocket.on("new_message", (data) => {
        setMessages((prev) => [...prev, data.data]);
      });

      newSocket.emit("authenticate", { token });

      return () => newSocket.close();
    }, [token, ticketId]);

    const sendMessage = (message) => {
      if (socket && isConnected) {
        socket.emit("send_message", { ticketId, message });
      }
    };

    return { socket, messages, isConnected, sendMessage };
  }

  const mine = token("ann");
  const component = new Component(() => useWebSocketChat(mine, "hook"));
  const vic = connect(1, "vic", {});
  vic.joinTicket("hook");
  await heard(vic, "joined_ticket");
  await until("the hook has joined", async () => {
    const users = heard(vic, "online_users");
    vic.socket.emit("get_online_users", { ticketId: "hook" });
    return (await users).users.length === 2;
  });
  component.value.sendMessage("Hello");
  vic.sendMessage("hook", "<b>hi</b>");
  await until("both are heard", () => component.value.messages.length === 2);
  const texts = component.value.messages.map((it) => it.message).sort();
  assert.deepEqual(texts, ["&lt;b&gt;hi&lt;/b&gt;", "Hello"]);
  component.unmount();
  vic.socket.close();
});
