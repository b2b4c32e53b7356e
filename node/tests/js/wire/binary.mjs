// Bytes as they are, in an event with a callback: the session reads them in base64.
import { io } from "socket.io-client";

const [url] = process.argv.slice(2);
const socket = io(url, { transports: ["websocket"], auth: { token: "good" } });
const bytes = Uint8Array.from({ length: 100_000 }, (_, index) => index % 251);
const expected = ["echo", Buffer.from(bytes).toString("base64"), { also: "AP8=", n: 1 }];
socket.emit("echo", bytes, { also: Uint8Array.of(0, 255), n: 1 }, (answer) => {
  console.log(JSON.stringify(answer) === JSON.stringify(expected));
  process.exit();
});
