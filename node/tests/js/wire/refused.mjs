// One manager with two namespaces: one that takes the client, one that does not.
import { Manager } from "socket.io-client";

const [url, transports] = process.argv.slice(2);
const manager = new Manager(url, { transports: transports.split(",") });
const root = manager.socket("/");
const refused = manager.socket("/conversation", { auth: { token: "bad" } });
refused.on("connect_error", (error) => {
  const { message, data } = error;
  console.log(`/conversation connect_error ${message} ${data?.code} active=${refused.active}`);
  process.exit();
});
refused.disconnect();
root.on("hello", (payload) => {
  console.log(`/ hello ${JSON.stringify(payload)}`);
  refused.connect();
});
