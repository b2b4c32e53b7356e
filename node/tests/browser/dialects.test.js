// Every protocol on the example page: windows on two nodes, in a real browser.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { joined, opened } from "./stage.js";

const DIALECTS = ["conversation", "case", "desk", "ticket", "flow"];
const PNG = Buffer.from("89504e470d0a1a0a0000000d49484452", "hex");

for (const dialect of DIALECTS) {
  test(`two windows on two nodes speak ${dialect}`, async () => {
    const room = `talk-${dialect}`;
    const alice = await joined(0, "alice", room, { dialect });
    const bob = await joined(1, "bob", room, { dialect });
    await alice.sees(["alice (you) online", "bob online"]);
    await bob.sees(["alice online", "bob (you) online"]);

    await alice.page.keyboard.type("a < b & ");
    await bob.page.getByText("alice is typing").waitFor();
    await alice.page.keyboard.type('"c"');
    await alice.page.keyboard.press("Enter");
    const first = 'a < b & "c"';
    await bob.shows([first]);
    await bob.page.getByText("alice is typing").waitFor({ state: "detached" });
    await bob.write("two\nlines");
    await alice.shows([first, "two\nlines"]);
    await bob.shows([first, "two\nlines"]);

    await alice.press("Cut connection");
    await alice.state("Connection cut");
    await bob.write("meanwhile");
    await bob.shows([first, "two\nlines", "meanwhile"]);
    await alice.write("from the dark");
    await alice.press("Reconnect");
    const all = [first, "two\nlines", "meanwhile", "from the dark"];
    await alice.shows(all);
    await bob.shows(all);
    await alice.page.getByText("Back, from the last message on.").waitFor();

    const traffic = alice.page.locator("#traffic");
    await traffic.getByText("from the dark").first().waitFor();
    assert.equal(await traffic.getByText("eyJ").count(), 0, "no token is shown");
    await alice.press("Leave");
    await bob.write("alone");
    await bob.shows([...all, "alone"]);
    assert.deepEqual(await alice.texts(), all);
  });
}

test("windows of all protocols meet in one room", async () => {
  const all = await Promise.all(
    DIALECTS.map((dialect, index) => joined(index % 2, `user-${dialect}`, "everybody", { dialect })),
  );
  const said = [];
  for (const [index, dialect] of DIALECTS.entries()) {
    said.push(`<${dialect}> says & writes`);
    await all[index].write(said[index]);
    for (const window of all) await window.shows(said);
  }
});

test("files are sent, shown as links, and loaded from the other node", async () => {
  const alice = await joined(0, "alice", "files", { dialect: "ticket" });
  const bob = await joined(1, "bob", "files", { dialect: "ticket" });
  const attach = (...files) => alice.page.locator("#files").setInputFiles(files);
  await attach(
    { name: "<b>.png", mimeType: "image/png", buffer: PNG },
    { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("x".repeat(3_000_000)) },
  );
  await alice.page.getByText("<b>.png, notes.txt").waitFor();
  await alice.press("Send");
  for (const window of [alice, bob]) {
    const links = window.page.locator("#messages .files a");
    await links.nth(1).waitFor();
    assert.deepEqual(await links.allTextContents(), ["<b>.png", "notes.txt"]);
    assert.equal(await window.page.locator("#messages .size").nth(1).textContent(), "3.0 MB");
  }
  const loading = bob.page.waitForEvent("download");
  await bob.page.getByRole("link", { name: "<b>.png" }).click();
  const download = await loading;
  assert.equal(new URL(download.url()).pathname.startsWith("/files/"), true);
  assert.deepEqual(readFileSync(await download.path()), PNG);

  const later = await joined(0, "carol", "files", { dialect: "ticket" });
  await later.page.getByRole("link", { name: "notes.txt" }).waitFor();

  await attach({ name: "a.png", mimeType: "image/png", buffer: Buffer.from("<!doctype html>") });
  await alice.write("look");
  await alice.page.getByText("not sent: attachments[0]").waitFor();
  await attach(...Array(11).fill({ name: "a.png", mimeType: "image/png", buffer: PNG }));
  await alice.write("too many");
  await alice.page.getByRole("alert").getByText("At most 10 files").waitFor();
  await bob.write("marker");
  await alice.page.locator("#messages").getByText("marker").waitFor();
  assert.equal(await bob.page.locator("#messages .files").count(), 1);
});

test("only protocols that have them offer files and a status", async () => {
  const ticket = await joined(0, "alice", "offers", { dialect: "ticket" });
  assert.equal(await ticket.page.getByText("Attach").isVisible(), true);
  assert.equal(await ticket.page.getByLabel("My status").isVisible(), false);
  const conversation = await joined(0, "alice", "offers", { dialect: "conversation" });
  assert.equal(await conversation.page.getByText("Attach").isVisible(), false);
  assert.equal(await conversation.page.getByLabel("My status").isVisible(), true);
});

for (const dialect of DIALECTS) {
  test(`a bad token is refused in ${dialect}`, async () => {
    const window = await opened();
    await window.page.getByLabel("Dialect").selectOption(dialect);
    await window.signIn("garbage");
    await window.page.getByRole("alert").getByText("The server refused").waitFor();
  });
}
