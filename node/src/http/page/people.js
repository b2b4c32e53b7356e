// Who is online in the joined room, with their status, and who types there.

class People {
  #list = document.getElementById("people");
  #count = document.getElementById("people-count");
  #typing = document.getElementById("typing");
  #statuses = new Map();
  #typists = new Set();

  presence({ user, name, status }, isSelf = false) {
    if (status === "offline") this.#statuses.delete(user);
    else this.#statuses.set(user, { name: name || user, status, isSelf });
    this.#show();
  }

  /** These, and nobody else. */
  list(users, self) {
    this.#statuses.clear();
    for (const it of users) this.presence(it, it.user === self);
  }

  /** Nobody by name: all have stopped. */
  typing(user, isActive) {
    if (user === undefined) this.#typists.clear();
    else if (isActive) this.#typists.add(user);
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
    const lines = users.map(([, { name, status, isSelf }]) => {
      const line = element("li");
      line.dataset.status = status;
      line.append(element("span", "who", isSelf ? `${name} (you)` : name), element("span", "status", status));
      return line;
    });
    this.#list.replaceChildren(...lines);
    this.#count.textContent = lines.length || "";
  }
}
