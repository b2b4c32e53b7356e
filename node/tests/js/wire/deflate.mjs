// Long messages both ways over a WebSocket that was opened at once: the official client offers
// permessage-deflate by itself.
import { io } from "socket.io-client";

const [url] = process.argv.slice(2);
const socket = io(url, { transports: ["websocket"], auth: { token: "good" } });
const long = "one two three ".repeat(10_000);
socket.on("connect", () => {
  const { ws } = socket.io.engine.transport;
  socket.emit("echo", long, (answer) => {
    console.log(`${ws.extensions} ${answer[1] === long}`);
    console.log(ws._socket.bytesRead < long.length / 2 && ws._socket.bytesWritten < long.length / 2);
    process.exit();
  });
});
