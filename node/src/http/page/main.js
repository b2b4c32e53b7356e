// The page's forms and buttons.

const the = (id) => document.getElementById(id);
const traffic = new Traffic();

const STATES = {
  connecting: "Connecting…",
  connected: "Connected",
  lost: "Connection lost, reconnecting…",
  cut: "Connection cut",
  refused: "Not connected",
  ended: "Ended by the server",
};

let chat;

function problem(text) {
  the("problem").textContent = text;
}

function showState(state) {
  the("state").dataset.state = state;
  the("state").textContent = STATES[state];
  the("cut").textContent = state === "cut" || state === "ended" ? "Reconnect" : "Cut connection";
  the("cut").disabled = state === "connecting" || state === "lost";
}

function showDesk(isShown) {
  if (the("desk").hidden !== isShown) return;
  the("entrance").hidden = isShown;
  the("desk").hidden = !isShown;
  the("actions").hidden = !isShown;
  if (isShown) the("room").focus();
  else the("token").focus();
}

function signOut(why) {
  chat?.close();
  chat = undefined;
  showDesk(false);
  the("state").dataset.state = "out";
  the("state").textContent = "Not connected";
  the("sign-in-problem").textContent = why;
  document.title = "Parlance";
}

function signIn() {
  chat?.close();
  the("sign-in-problem").textContent = "";
  problem("");
  traffic.clear();
  const credentials = { token: the("token").value.trim(), name: the("name").value.trim() };
  chat = new Chat(DIALECTS[the("dialect").value], credentials, {
    packet: (direction, text) => traffic.add(direction, text),
    problem,
    room: showRoom,
    state: (state, detail) => {
      showState(state);
      traffic.add("link", detail ? `${state}: ${detail}` : state);
      if (state === "connected") showDesk(true);
      if (state === "refused") signOut(`The server refused: ${detail}`);
    },
    self: (user) => {
      the("state").textContent = `Connected as ${user}`;
      document.title = `${credentials.name || user} · Parlance`;
    },
    status: (status) => {
      the("status").value = status;
    },
  });
}

function showRoom(room) {
  the("room-title").textContent = room ?? "No room joined";
  the("room").readOnly = room !== undefined;
  the("messages").dataset.empty = room
    ? "What is written from now on stands here."
    : "Join a room: everybody who names the same one meets there.";
  the("join").textContent = room === undefined ? "Join" : "Leave";
  for (const field of the("composer").elements) field.disabled = room === undefined;
  problem("");
  if (room !== undefined) the("text").focus();
}

function write() {
  const text = the("text").value.trim();
  if (!text) return;
  problem("");
  the("text").value = "";
  chat.write(text);
}

for (const name of Object.keys(DIALECTS)) the("dialect").append(new Option(name, name));
the("traffic-pane").open = matchMedia("(min-width: 70rem)").matches;
showRoom(undefined);
the("token").focus();

the("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  signIn();
});
the("sign-out").addEventListener("click", () => signOut(""));
the("cut").addEventListener("click", () => {
  if (the("state").dataset.state === "connected") chat.cut();
  else chat.reconnect();
});
the("room-form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (the("room").readOnly) chat.leave();
  else chat.join(the("room").value.trim());
});
the("status").addEventListener("change", () => chat.setStatus(the("status").value));
the("text").addEventListener("input", () => {
  if (the("text").value.trim()) chat.types();
  else chat.stopTyping();
});
the("text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  write();
});
the("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  write();
});
the("traffic-clear").addEventListener("click", () => traffic.clear());
document.addEventListener("visibilitychange", () => chat?.look());
