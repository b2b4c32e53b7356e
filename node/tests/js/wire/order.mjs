// Clients that send 200 events each, half of them before they are connected and half at once after.
// Every other one asks for an answer; the rest come back as events.
import { io } from "socket.io-client";

const [url, transports, count] = process.argv.slice(2);
const EVENTS = 200;

function client() {
  return new Promise((resolve, reject) => {
    const socket = io(`${url}/conversation`, {
      transports: transports.split(","),
      auth: { token: "good" },
      forceNew: true,
    });
    const cameBack = { even: [], odd: [] };
    const note = (list) => ([, n]) => {
      list.push(n);
      if (cameBack.even.length + cameBack.odd.length < EVENTS) return;
      const inOrder = (list) => list.every((it, index) => index === 0 || it === list[index - 1] + 2);
      if (inOrder(cameBack.even) && inOrder(cameBack.odd)) resolve();
      else reject(new Error("out of order"));
      socket.disconnect();
    };
    socket.on("echo", note(cameBack.even));
    socket.on("connect_error", reject);
    socket.on("disconnect", (reason, details) => {
      reject(new Error(`${reason} ${details?.context?.responseText}`));
    });
    const send = (from, to) => {
      for (let n = from; n < to; n += 2) {
        socket.emit("e", n);
        socket.emit("e", n + 1, note(cameBack.odd));
      }
    };
    send(0, EVENTS / 2);
    socket.on("connect", () => send(EVENTS / 2, EVENTS));
  });
}

try {
  await Promise.all(Array.from({ length: Number(count) }, client));
  console.log(`${count} clients, all in order`);
} catch (error) {
  console.log(`failed: ${error.message}`);
}
process.exit();
