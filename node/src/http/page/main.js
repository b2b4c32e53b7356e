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

/** What a token says about its user; it is the server that verifies it. */
function claimsOf(token) {
  try {
    const claims = JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
    return { user: String(claims.sub ?? claims.userId ?? claims.id ?? ""), role: claims.role };
  } catch {
    return {};
  }
}

function signIn() {
  chat?.close();
  the("sign-in-problem").textContent = "";
  problem("");
  traffic.clear();
  const dialect = DIALECTS[the("dialect").value];
  const token = the("token").value.trim();
  const name = the("name").value.trim();
  const { user = name, role } = claimsOf(token);
  const me = { token, name, user, role, room: the("room").value.trim() };
  the("attach").hidden = !dialect.takesFiles;
  the("status-field").hidden = !dialect.status;
  chat = new Chat(dialect, me, {
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
      document.title = `${name || user} · Parlance`;
    },
    status: (status) => {
      the("status").value = status;
    },
  });
  if (dialect.joinsAtOnce) chat.join(me.room);
}

function showRoom(room) {
  the("room-title").textContent = room ?? "No room joined";
  the("room").readOnly = room !== undefined;
  the("messages").dataset.empty = room
    ? "What is written from now on stands here."
    : "Join a room: everybody who names the same one meets there.";
  the("join").textContent = room === undefined ? "Join" : "Leave";
  for (const field of the("composer").elements) field.disabled = room === undefined;
  the("files").value = "";
  showChosen();
  problem("");
  if (room !== undefined) the("text").focus();
}

async function write() {
  const text = the("text").value.trim();
  const chosen = [...the("files").files];
  if (!text && !chosen.length) return;
  const why = filesProblem(chosen);
  problem(why ?? "");
  if (why) return;
  the("text").value = "";
  the("files").value = "";
  showChosen();
  if (!chosen.length) return chat.write(text);
  const writer = chat;
  const files = await readFiles(chosen).catch((error) => problem(error.message));
  if (files && writer === chat) chat.write(text, files);
}

function showChosen() {
  the("chosen").textContent = [...the("files").files].map((it) => it.name).join(", ");
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
the("files").addEventListener("change", () => {
  showChosen();
  the("text").focus();
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
