// Clients that send 200 events each as soon as they are connected, and as many with an answer.
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
    const echoed = [];
    const answered = [];
    const check = () => {
      if (echoed.length < EVENTS || answered.length < EVENTS) return;
      const inOrder = (list) => list.every((it, index) => it === index);
      socket.disconnect();
      inOrder(echoed) && inOrder(answered) ? resolve() : reject(new Error("out of order"));
    };
    socket.on("echo", ([, n]) => { echoed.push(n); check(); });
    socket.on("connect_error", reject);
    socket.on("disconnect", (reason) => reject(new Error(reason)));
    // Half of them before the connection is there: the client keeps them and sends them in one go.
    const send = (from, to) => {
      for (let n = from; n < to; n++) {
        socket.emit("e", n);
        socket.emit("a", n, ([, n]) => { answered.push(n); check(); });
      }
    };
    send(0, 50);
    socket.on("connect", () => { send(50, 100); setTimeout(() => send(100, EVENTS), 50); });
  });
}

try {
  await Promise.all(Array.from({ length: Number(count) }, client));
  console.log(`${count} clients, all in order`);
} catch (error) {
  console.log(`failed: ${error.message}`);
}
process.exit();
