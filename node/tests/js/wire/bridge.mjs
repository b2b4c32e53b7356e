// The official client behind packets in text form: a line comes in for each that it is to send, a
// line goes out for each that it was given. It leaves when its input ends.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";
import { Decoder, Encoder, PacketType } from "socket.io-parser";

const [url, transports] = process.argv.slice(2);
const base = new URL(url);
const query = Object.fromEntries(base.searchParams);
for (const own of ["EIO", "transport"]) delete query[own];

const say = (line) => process.stdout.write(`${line}\n`);
let socket;

function tell(type, data, id) {
  const packet = { type, nsp: socket.nsp, data, id };
  say(`4${new Encoder().encode(packet)[0]}`);
}

function connect(nsp, auth) {
  const options = { auth, query, transports: transports.split(","), reconnection: false };
  socket = io(base.origin + nsp, { ...options, forceNew: true });
  socket.on("connect", () => tell(PacketType.CONNECT, { sid: socket.id }));
  socket.on("connect_error", ({ message, data }) => {
    tell(PacketType.CONNECT_ERROR, { message, data });
  });
  socket.onAny((name, payload) => tell(PacketType.EVENT, [name, payload]));
  socket.on("disconnect", (reason) => {
    if (reason === "io server disconnect") tell(PacketType.DISCONNECT);
    say("1");
  });
}

const decoder = new Decoder();
decoder.on("decoded", ({ type, nsp, data, id }) => {
  if (type === PacketType.CONNECT) connect(nsp, data);
  else if (type === PacketType.DISCONNECT) socket.disconnect();
  else if (id === undefined) socket.emit(...data);
  else socket.emit(...data, (answer) => tell(PacketType.ACK, [answer], id));
});

const input = createInterface({ input: process.stdin });
input.on("line", (line) => decoder.add(line.slice(1)));
input.on("close", () => {
  socket?.disconnect();
  process.exit();
});
say("0{}");
