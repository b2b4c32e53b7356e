// One connection for the protocol of envelopes over a plain WebSocket, with the face of a Link.

/** Pauses before another try, the last one for all further ones. */
const RETRY_PAUSES_MS = [500, 1_000, 2_000, 5_000];

/** What the server closes with when coming back by oneself makes no sense. */
const REFUSED_CODE = 4401;
const DISMISSED_CODE = 4403;

class EnvelopeLink {
  #url;
  #dialect;
  #me;
  #told;
  #secret;
  #socket;
  #asked = new Map();
  #requests = 0;
  #tries = 0;
  #retry;
  #isCut = false;

  constructor(dialect, me, told) {
    this.#url = new URL(dialect.path, location.href.replace(/^http/, "ws"));
    this.#dialect = dialect;
    this.#me = me;
    this.#told = told;
    this.#secret = JSON.stringify(me.token).slice(1, -1);
    this.#open();
  }

  get isConnected() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  #open() {
    this.#told.state("connecting");
    this.#socket = new WebSocket(this.#url);
    this.#socket.addEventListener("open", () => {
      this.#tries = 0;
      this.#told.state("connected", "websocket");
    });
    this.#socket.addEventListener("message", ({ data }) => this.#hear(data));
    this.#socket.addEventListener("close", ({ code, reason }) => this.#closed(code, reason));
  }

  #hear(data) {
    this.#told.packet("in", data);
    const { type, payload, requestId } = JSON.parse(data);
    const answered = this.#asked.get(requestId);
    this.#asked.delete(requestId);
    const isRefused = type === "ERROR";
    const meaning = this.#dialect.hears[type]?.(payload, this.#me);
    if (meaning && !(answered && isRefused)) this.#told.heard(...meaning);
    answered?.(isRefused ? { ok: false, error: payload } : { ok: true, ...payload });
  }

  #closed(code, reason) {
    for (const answered of this.#asked.values()) answered(undefined);
    this.#asked.clear();
    if (this.#isCut) return this.#told.state("cut");
    if (code === REFUSED_CODE) return this.#told.state("refused", reason || "no good token");
    if (code === DISMISSED_CODE) return this.#told.state("ended", reason);
    this.#told.state("lost", String(code));
    const pause = RETRY_PAUSES_MS[Math.min(this.#tries, RETRY_PAUSES_MS.length - 1)];
    this.#tries += 1;
    this.#retry = setTimeout(() => this.#open(), pause);
  }

  #send([type, payload], requestId) {
    const text = JSON.stringify({ type, payload, requestId });
    this.#told.packet("out", this.#secret ? text.replaceAll(this.#secret, "…") : text);
    this.#socket.send(text);
  }

  ask(request, answered, withinMs = ANSWER_MAX_MS) {
    if (!this.isConnected) return answered(undefined);
    this.#requests += 1;
    const id = `r${this.#requests}`;
    this.#asked.set(id, answered);
    this.#send(request, id);
    setTimeout(() => {
      if (this.#asked.delete(id)) answered(undefined);
    }, withinMs);
  }

  tell(request) {
    if (this.isConnected) this.#send(request);
  }

  cut() {
    this.#isCut = true;
    clearTimeout(this.#retry);
    this.#socket.close();
  }

  reconnect() {
    this.#isCut = false;
    this.#open();
  }

  close() {
    clearTimeout(this.#retry);
    this.#told = { state() {}, heard() {}, packet() {} };
    this.#isCut = true;
    this.#socket.close();
  }
}
