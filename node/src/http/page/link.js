// One connection by Socket.IO to the node that served the page.

/** An answer that takes longer is lost with its connection. */
const ANSWER_MAX_MS = 10_000;

/** Where the wire's packet types stand in Engine.IO. */
const PACKET_TYPES = ["open", "close", "ping", "pong", "message", "upgrade", "noop"];

class Link {
  #socket;
  #isCut = false;

  /**
   * `told` hears: `state(name, detail)` with one of connecting, connected, lost, cut, refused and
   * ended; `heard(kind, value)` in the dialect's meaning; `packet(direction, text)`.
   */
  constructor(dialect, me, told) {
    this.#socket = io(dialect.namespace, {
      auth: dialect.auth(me),
      autoConnect: false,
      forceNew: true,
      transports: ["websocket", "polling"],
      tryAllTransports: true,
    });
    this.#watchState(told);
    this.#watchPackets(told, JSON.stringify(me.token).slice(1, -1));
    for (const [event, meaning] of Object.entries(dialect.hears)) {
      this.#socket.on(event, (payload) => {
        const meant = meaning(payload, me);
        if (meant) told.heard(...meant);
      });
    }
    told.state("connecting");
    this.#socket.connect();
  }

  get isConnected() {
    return this.#socket.connected;
  }

  #watchState(told) {
    const socket = this.#socket;
    socket.on("connect", () => told.state("connected", socket.io.engine.transport.name));
    socket.on("disconnect", (reason) => {
      if (this.#isCut) told.state("cut");
      else told.state(socket.active ? "lost" : "ended", reason);
    });
    socket.on("connect_error", (error) => {
      told.state(socket.active ? "lost" : "refused", error.message);
    });
  }

  #watchPackets(told, secret) {
    const wire = ({ type, data }) => {
      const text = typeof data === "string" ? data : data ? "(binary)" : "";
      const shown = secret ? text.replaceAll(secret, "…") : text;
      return `${PACKET_TYPES.indexOf(type)}${shown}`;
    };
    const manager = this.#socket.io;
    manager.on("open", () => {
      manager.engine.on("packet", (packet) => told.packet("in", wire(packet)));
      manager.engine.on("packetCreate", (packet) => told.packet("out", wire(packet)));
    });
  }

  /** Asks, and has `answered(answer)` told what came: a yes, a refusal, or undefined for nothing. */
  ask(request, answered, withinMs = ANSWER_MAX_MS) {
    if (!this.isConnected) return answered(undefined);
    this.#socket.timeout(withinMs).emit(...request, (failure, answer) => {
      answered(failure ? undefined : answer);
    });
  }

  /** Says something that is not worth saying later. */
  tell(request) {
    if (this.isConnected) this.#socket.emit(...request);
  }

  /** Ends the connection under the client, and keeps it from coming back by itself. */
  cut() {
    this.#isCut = true;
    this.#socket.io.reconnection(false);
    this.#socket.io.engine.close();
  }

  reconnect() {
    this.#isCut = false;
    this.#socket.io.reconnection(true);
    this.#socket.connect();
  }

  /** Leaves for good; nothing is told any more. */
  close() {
    this.#socket.off();
    this.#socket.disconnect();
  }
}
