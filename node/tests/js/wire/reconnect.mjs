// A client whose node goes away; a proxy would send its next attempt to another one.
import { io } from "socket.io-client";

const [url, otherUrl, transports] = process.argv.slice(2);
const socket = io(`${url}/conversation`, {
  transports: transports.split(","),
  auth: { token: "good" },
  reconnectionDelay: 100,
});
socket.on("connect", () => {
  // An upgrade that is still under way would hide how a plain polling session ends.
  setTimeout(() => console.log("connected"), 500);
});
socket.on("disconnect", () => console.log(`disconnected, active=${socket.active}`));
socket.io.on("reconnect_attempt", () => { socket.io.uri = `${otherUrl}/conversation`; });
