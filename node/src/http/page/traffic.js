// What went over the wire, newest last.

const TRAFFIC_LINES_MAX = 300;
const TRAFFIC_LINE_CHARACTERS_MAX = 2_000;

const WAYS = { out: "sent", in: "heard", link: "link" };

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
