// One manager with two namespaces: one that takes the client, one that does not.
import { Manager } from "socket.io-client";

const manager = new Manager(process.argv[2]);
const root = manager.socket("/");
const refused = manager.socket("/conversation", { auth: { token: "bad" } });
refused.on("connect_error", (error) => {
  console.log(`/conversation connect_error ${error.message} active=${refused.active}`);
  process.exit();
});
refused.disconnect();
root.on("hello", (payload) => {
  console.log(`/ hello ${JSON.stringify(payload)}`);
  refused.connect();
});
