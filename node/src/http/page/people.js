// Who is online in the joined room, with their status, and who types there.

class People {
  #list = document.getElementById("people");
  #count = document.getElementById("people-count");
  #typing = document.getElementById("typing");
  #statuses = new Map();
  #typists = new Set();

  presence(user, status, isSelf = false) {
    if (status === "offline") this.#statuses.delete(user);
    else this.#statuses.set(user, { status, isSelf });
    this.#show();
  }

  typing(user, isActive) {
    if (isActive) this.#typists.add(user);
    else this.#typists.delete(user);
    const names = [...this.#typists];
    const some = names.slice(0, 3).join(", ") + (3 < names.length ? " and others" : "");
    const verb = names.length === 1 ? "is" : "are";
    this.#typing.textContent = names.length ? `${some} ${verb} typing` : "";
  }

  /** Nobody is known any more: the next join tells who is there. */
  clear() {
    this.#statuses.clear();
    this.#typists.clear();
    this.#typing.textContent = "";
    this.#show();
  }

  #show() {
    const users = [...this.#statuses].sort(([one], [other]) => one.localeCompare(other));
    const lines = users.map(([user, { status, isSelf }]) => {
      const line = element("li");
      line.dataset.status = status;
      line.append(element("span", "who", isSelf ? `${user} (you)` : user), element("span", "status", status));
      return line;
    });
    this.#list.replaceChildren(...lines);
    this.#count.textContent = lines.length || "";
  }
}
