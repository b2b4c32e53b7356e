// The list of messages of the joined room, in the room's order.

const MESSAGES_MAX = 1_000;

/** Receipts of messages that are not in the list, yet or any more. */
const RECEIPTS_MAX = 1_000;

/** Greater than any time: what has no place yet stands last. */
const NO_TIME = "~";

class Messages {
  #list = document.getElementById("messages");
  #byId = new Map();
  #receipts = new Map();

  /** Someone else's message, or an own one that another window sent. */
  heard({ id, from, name, text, files, at }, isOwn) {
    const known = this.#byId.get(id);
    if (known) return this.#link(known, files);
    const item = this.#item({ from: name || from, text, files }, isOwn);
    this.#name(item, id);
    this.#place(item, at);
    if (isOwn) this.#show(item);
  }

  /** An own message that has no answer yet. */
  draft(from, text, files) {
    const item = this.#item({ from, text, files }, true);
    this.#place(item, NO_TIME);
    return item;
  }

  /** The server has stored a draft. */
  sent(item, { id, at }) {
    if (this.#byId.has(id)) return item.node.remove(); // heard meanwhile
    this.#name(item, id);
    this.#place(item, at);
    this.#show(item);
  }

  /** A draft is under way. */
  sends(item) {
    this.#mark(item, "sending");
  }

  /** A draft waits for the connection. */
  waits(item) {
    this.#mark(item, "waiting");
  }

  /** A draft was refused; `again` tries once more. */
  refused(item, why, again) {
    this.#mark(item, "refused", `not sent: ${why}`);
    const button = element("button", "link", "Send again");
    button.type = "button";
    button.addEventListener("click", again, { once: true });
    item.mark.append(" ", button);
  }

  delivered(id) {
    this.#receiptOf(id).isDelivered = true;
    if (this.#byId.has(id)) this.#show(this.#byId.get(id));
  }

  read(id, user) {
    this.#receiptOf(id).readers.add(user);
    if (this.#byId.has(id)) this.#show(this.#byId.get(id));
  }

  notice(text) {
    keepEnd(this.#list, () => this.#list.append(element("p", "notice", text)));
  }

  clear() {
    this.#list.replaceChildren();
    this.#byId.clear();
    this.#receipts.clear();
  }

  #item({ from, text, files }, isOwn) {
    const node = element("article", isOwn ? "message own" : "message");
    const head = element("p", "by");
    const time = element("time");
    head.append(element("b", "", isOwn ? `${from} (you)` : from), time);
    const item = { node, time, mark: element("span", "mark"), files: fileList(files ?? []) };
    node.append(head, element("p", "text", text));
    if (files?.length) node.append(item.files);
    if (isOwn) node.append(item.mark);
    return item;
  }

  /** A draft's files become links once its message is heard. */
  #link(item, files) {
    if (!files?.length) return;
    const links = fileList(files);
    item.files.replaceWith(links);
    item.files = links;
  }

  #name(item, id) {
    item.id = id;
    this.#byId.set(id, item);
    item.node.dataset.id = id;
  }

  /** Puts a message where its time belongs; equal times stay in the order in which they came. */
  #place(item, at) {
    item.node.dataset.at = at;
    if (at !== NO_TIME) {
      item.time.dateTime = at;
      item.time.textContent = new Date(at).toTimeString().slice(0, 5);
    }
    keepEnd(this.#list, () => {
      item.node.remove();
      let last = this.#list.lastElementChild;
      while (last && at < (last.dataset.at ?? "")) last = last.previousElementSibling;
      if (last) last.after(item.node);
      else this.#list.prepend(item.node);
      if (MESSAGES_MAX < this.#list.childElementCount) this.#forgetFirst();
    });
  }

  #forgetFirst() {
    const first = this.#list.firstElementChild;
    this.#byId.delete(first.dataset.id);
    first.remove();
  }

  #receiptOf(id) {
    if (!this.#receipts.has(id)) {
      this.#receipts.set(id, { isDelivered: false, readers: new Set() });
      if (RECEIPTS_MAX < this.#receipts.size) {
        this.#receipts.delete(this.#receipts.keys().next().value);
      }
    }
    return this.#receipts.get(id);
  }

  /** Shows how far an own message has come. */
  #show(item) {
    const receipt = this.#receipts.get(item.id);
    if (receipt?.readers.size) this.#mark(item, "read", `read by ${[...receipt.readers].join(", ")}`);
    else this.#mark(item, receipt?.isDelivered ? "delivered" : "sent");
  }

  #mark(item, state, text = state) {
    item.mark.dataset.mark = state;
    item.mark.replaceChildren(text);
  }
}
