// What went over the wire, newest last.

const TRAFFIC_LINES_MAX = 300;
const TRAFFIC_LINE_CHARACTERS_MAX = 2_000;

const WAYS = { out: "sent", in: "heard", link: "link" };

/** A new element with this class and this text; text stays text. */
function element(name, className, text) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

/** Runs `change`, and keeps showing the end of the list if that is what is shown. */
function keepEnd(list, change) {
  const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  change();
  if (isAtEnd) list.scrollTop = list.scrollHeight;
}

class Traffic {
  #list = document.getElementById("traffic");
  #count = document.getElementById("traffic-count");
  #total = 0;

  /** A packet that went `in` or `out`, or what became of the `link`. */
  add(direction, text) {
    const line = element("li", direction);
    const at = new Date().toTimeString().slice(0, 8);
    line.append(
      element("time", "", at),
      element("span", "way", WAYS[direction]),
      element("code", "", text.slice(0, TRAFFIC_LINE_CHARACTERS_MAX)),
    );
    keepEnd(this.#list, () => {
      this.#list.append(line);
      if (TRAFFIC_LINES_MAX < this.#list.childElementCount) this.#list.firstElementChild.remove();
    });
    this.#total += 1;
    this.#count.textContent = this.#total;
  }

  clear() {
    this.#list.replaceChildren();
    this.#total = 0;
    this.#count.textContent = "";
  }
}
