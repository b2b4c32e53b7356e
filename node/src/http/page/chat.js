// Being in a room: what is asked of the server, and what its events change on the page.

/** While someone types it is said again so often; the server takes silence for a stop. */
const TYPING_REPEAT_MS = 2_000;

/** A pause that ends typing. */
const TYPING_PAUSE_MS = 3_000;

/** Messages that come together are marked as read together. */
const READ_PAUSE_MS = 300;

/** What the server says when the same may work a little later, and when that is by default. */
const PASSING = ["BUSY", "RATE_LIMIT_EXCEEDED", "SERVER_ERROR"];
const RETRY_MS = 2_000;

function later(answer, again) {
  setTimeout(again, answer?.error.retryAfterMs ?? RETRY_MS);
}

/** Names an attempt to send, so that trying again stores nothing twice. */
function attemptKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (it) => it.toString(16).padStart(2, "0")).join("");
}

class Chat {
  #dialect;
  #me;
  #page;
  #link;
  #messages = new Messages();
  #people = new People();

  #self;
  #status = "online";
  #room;
  #isJoined = false;
  /** The place in the room up to which everything has been heard, and the epoch of places. */
  #since;
  #epoch;
  /** Own messages without an answer, in the order of writing; one at a time is asked about. */
  #drafts = [];
  #isSending = false;
  #typingSaidAt;
  #typingPause;
  #toRead;
  #readPause;

  /** `page` hears `state`, `packet`, `self(user)`, `status(name)`, `room(name)` and `problem(text)`. */
  constructor(dialect, me, page) {
    this.#dialect = dialect;
    this.#me = me;
    this.#page = page;
    this.#messages.clear();
    this.#people.clear();
    const Way = dialect.path ? EnvelopeLink : Link;
    this.#link = new Way(dialect, me, {
      packet: page.packet,
      heard: (kind, value) => this.#hears[kind](value),
      state: (state, detail) => {
        page.state(state, detail);
        if (state === "connected") this.#connected();
        else this.#disconnected();
      },
    });
  }

  join(room) {
    this.#forgetRoom();
    this.#messages.clear();
    this.#room = room;
    this.#page.room(room);
    this.#enter();
  }

  leave() {
    if (this.#dialect.leave) this.#link.tell(this.#dialect.leave(this.#room));
    this.#forgetRoom();
    this.#messages.notice("You have left the room.");
  }

  write(text, files) {
    this.stopTyping();
    const item = this.#messages.draft(this.#me.name || this.#self, text, files);
    this.#send({ key: attemptKey(), text, files, item });
    if (!this.#isJoined) this.#messages.waits(item);
  }

  setStatus(status) {
    this.#link.ask(this.#dialect.status(status), (answer) => {
      if (answer?.ok) this.#statusIs(status);
      else this.#fail("The status was not changed", answer);
      this.#page.status(this.#status);
    });
  }

  types() {
    const now = performance.now();
    clearTimeout(this.#typingPause);
    this.#typingPause = setTimeout(() => this.stopTyping(), TYPING_PAUSE_MS);
    if (now < (this.#typingSaidAt ?? -Infinity) + TYPING_REPEAT_MS) return;
    this.#typingSaidAt = now;
    this.#link.tell(this.#dialect.typing(this.#room, true));
  }

  stopTyping() {
    clearTimeout(this.#typingPause);
    if (this.#typingSaidAt === undefined) return;
    this.#typingSaidAt = undefined;
    this.#link.tell(this.#dialect.typing(this.#room, false));
  }

  /** Marks what is on the screen as read; a page that nobody sees reads nothing. */
  look() {
    if (!this.#dialect.read || !this.#toRead || this.#readPause || document.visibilityState !== "visible") return;
    this.#readPause = setTimeout(() => {
      this.#readPause = undefined;
      if (!this.#toRead || !this.#isJoined) return;
      this.#link.tell(this.#dialect.read(this.#toRead));
      this.#toRead = undefined;
    }, READ_PAUSE_MS);
  }

  cut() {
    this.#link.cut();
  }

  reconnect() {
    this.#link.reconnect();
  }

  close() {
    this.#forgetRoom();
    this.#link.close();
  }

  #hears = {
    self: ({ user }) => {
      this.#self = user;
      this.#page.self(user);
      if (this.#isJoined) this.#statusIs(this.#status);
    },
    denied: ({ text }) => {
      this.#link.close();
      this.#page.state("refused", text);
    },
    message: (message) => {
      if (message.room !== this.#room) return;
      const { id, seq, from, name } = message;
      const isOwn = from === this.#self;
      this.#since = seq === undefined ? id : { epoch: this.#epoch, seq };
      this.#messages.heard(message, isOwn);
      for (const typist of [from, name ?? from]) this.#people.typing(typist, false);
      if (isOwn) return;
      this.#toRead = message.id;
      this.look();
    },
    delivered: ({ id }) => this.#messages.delivered(id),
    read: ({ id, user }) => this.#messages.read(id, user),
    typing: ({ user, room, active }) => {
      if (room === this.#room) this.#people.typing(user, active);
    },
    presence: (presence) => {
      if (!this.#room || (presence.room ?? this.#room) !== this.#room) return;
      if (presence.user === this.#self) this.#statusIs(presence.status);
      else this.#people.presence(presence);
    },
    history: ({ messages }) => {
      const here = messages.filter((it) => it.room === this.#room);
      for (const message of here) this.#messages.heard(message, message.from === this.#self);
    },
    people: ({ users }) => {
      if (this.#room) this.#people.list(users, this.#self);
    },
    inside: (inside) => {
      this.#hears.history(inside);
      this.#hears.people(inside);
    },
    reset: ({ room, position }) => {
      if (room !== this.#room) return;
      this.#since = position;
      this.#epoch = position.epoch;
      this.#messages.notice("Some messages are no longer kept.");
    },
    deleted: ({ room }) => {
      if (room !== this.#room) return;
      this.#forgetRoom();
      this.#messages.notice("The room is gone.");
    },
    notice: ({ room, text }) => {
      if (!room || room === this.#room) this.#messages.notice(text);
    },
    problem: ({ text }) => this.#page.problem(text),
  };

  #connected() {
    if (this.#dialect.greet) this.#link.tell(this.#dialect.greet(this.#me));
    if (this.#status !== "online") this.setStatus(this.#status);
    if (this.#room) this.#enter();
  }

  #disconnected() {
    this.#isJoined = false;
    this.#typingSaidAt = undefined;
    this.#people.clear();
    for (const { item } of this.#drafts) this.#messages.waits(item);
  }

  #forgetRoom() {
    this.#room = undefined;
    this.#isJoined = false;
    this.#since = undefined;
    this.#toRead = undefined;
    this.#drafts = [];
    this.#isSending = false;
    this.#people.clear();
    this.#page.room(undefined);
  }

  /** Joins from where it was left; what was missed follows the answer. */
  #enter() {
    const room = this.#room;
    const since = this.#since;
    this.#link.ask(this.#dialect.join(room, since), (answer) => {
      if (room !== this.#room || this.#isJoined) return;
      if (answer?.ok) return this.#entered(answer, since);
      if (!this.#link.isConnected) return; // the next connection joins
      if (!answer || PASSING.includes(answer.error.code)) {
        const isStill = () => room === this.#room && this.#link.isConnected;
        return later(answer, () => isStill() && this.#enter());
      }
      this.#forgetRoom();
      this.#fail(`${room} cannot be joined`, answer);
    });
  }

  #entered({ position, resumed }, since) {
    this.#isJoined = true;
    this.#epoch = position.epoch;
    // Where the log leads on, the messages themselves move the place: this may end half-way.
    if (!since || !resumed) this.#since = position;
    if (since) {
      const whole = "Back, from the last message on.";
      this.#messages.notice(resumed ? whole : "Back; some messages are no longer kept.");
    }
    this.#statusIs(this.#status);
    const questions = this.#dialect.entered?.(this.#room) ?? [];
    for (const question of questions) this.#link.tell(question);
    this.#sendNext();
    this.look();
  }

  #send(draft) {
    this.#drafts.push(draft);
    this.#sendNext();
  }

  /** Sends the oldest draft. What gets no answer is sent again under the same key. */
  #sendNext() {
    const [draft] = this.#drafts;
    if (!draft || this.#isSending || !this.#isJoined) return;
    this.#isSending = true;
    this.#messages.sends(draft.item);
    const { text, key, files } = draft;
    const uploads = files?.map(({ name, type, data }) => ({ name, type, data }));
    const answered = (answer) => {
      if (draft !== this.#drafts[0]) return; // the room was left meanwhile
      this.#isSending = false;
      if (!answer || PASSING.includes(answer.error?.code)) {
        return later(answer, () => this.#sendNext());
      }
      this.#drafts.shift();
      if (answer.ok) this.#messages.sent(draft.item, this.#dialect.sent(answer));
      else this.#messages.refused(draft.item, answer.error.message, () => this.#send(draft));
      this.#sendNext();
    };
    const withinMs = files?.length ? UPLOAD_MAX_MS : ANSWER_MAX_MS;
    this.#link.ask(this.#dialect.send(this.#room, text, key, uploads), answered, withinMs);
  }

  #statusIs(status) {
    this.#status = status;
    this.#page.status(status);
    if (!this.#room || !this.#self) return;
    this.#people.presence({ user: this.#self, name: this.#me.name, status }, true);
  }

  #fail(what, answer) {
    const why = answer ? `${answer.error.message} (${answer.error.code})` : "no answer";
    this.#page.problem(`${what}: ${why}`);
  }
}
