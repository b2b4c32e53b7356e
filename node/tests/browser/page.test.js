// The example page of two nodes, in a real browser.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";

import { until } from "../js/cluster.js";
import { joined, opened, stage } from "./stage.js";
import { token } from "./window.js";

test("two windows on two nodes converse", async () => {
  const alice = await joined(0, "alice", "talk");
  const bob = await joined(1, "bob", "talk");
  await alice.sees(["alice (you) online", "bob online"]);
  await bob.sees(["alice online", "bob (you) online"]);

  await alice.page.keyboard.type("hel");
  await bob.page.getByText("alice is typing").waitFor();
  await alice.page.keyboard.press("Enter");
  await bob.shows(["hel"]);
  await bob.page.getByText("alice is typing").waitFor({ state: "detached" });
  await alice.marked("hel", "read by bob");

  await bob.write("two\nlines");
  await alice.shows(["hel", "two\nlines"]);
  await bob.marked("two", "read by alice");

  await bob.page.getByLabel("My status").selectOption("busy");
  await alice.sees(["alice (you) online", "bob busy"]);
  await bob.press("Leave");
  await alice.write("alone");
  await alice.marked("alone", "sent");
  await bob.press("Sign out");
  await alice.sees(["alice (you) online"]);
  assert.deepEqual(await bob.texts(), ["hel", "two\nlines"]);
});

test("the keyboard is enough", async () => {
  const { page } = await opened();
  await page.keyboard.insertText(token("alice"));
  await page.keyboard.press("Enter");
  await page.locator("#room:focus").waitFor();
  await page.keyboard.press("Control+A");
  await page.keyboard.type("keys");
  await page.keyboard.press("Enter");
  await page.locator("#text:focus").waitFor();
  await page.keyboard.type("one");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("two");
  await page.keyboard.press("Enter");
  await page.keyboard.type("three");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Space");
  const texts = page.locator("#messages .text");
  await texts.nth(1).waitFor();
  assert.deepEqual(await texts.allTextContents(), ["one\ntwo", "three"]);
});

test("a message that nobody looks at is delivered and not read", async () => {
  const alice = await joined(0, "alice", "unread");
  const bob = await joined(1, "bob", "unread");
  await bob.pretendHidden(true);
  await alice.write("psst");
  await bob.shows(["psst"]);
  await alice.marked("psst", "delivered");
  // What is heard later on the same path is delivered, too, and nothing was read before it.
  await alice.write("hello?");
  await alice.marked("hello?", "delivered");
  await alice.marked("psst", "delivered");
  await bob.pretendHidden(false);
  await alice.marked("psst", "read by bob");
  await alice.marked("hello?", "read by bob");
});

test("a window that was cut off goes on where it was, and nothing is lost or doubled", async () => {
  const alice = await joined(0, "alice", "cut");
  const bob = await joined(1, "bob", "cut");
  await alice.write("before");
  await bob.shows(["before"]);

  await alice.press("Cut connection");
  await alice.state("Connection cut");
  await bob.write("meanwhile 1");
  await alice.write("from the dark");
  await alice.marked("from the dark", "waiting");
  await bob.write("meanwhile 2");
  await bob.marked("meanwhile 2", "sent");

  await alice.press("Reconnect");
  const all = ["before", "meanwhile 1", "meanwhile 2", "from the dark"];
  await alice.shows(all);
  await bob.shows(all);
  await bob.marked("meanwhile 2", "read by alice");
  await alice.marked("from the dark", "read by bob");
  await alice.page.getByText("Back, from the last message on.").waitFor();
  await alice.sees(["alice (you) online", "bob online"]);
});

test("what was written while cut off is sent in its order, limits or not", async () => {
  const alice = await joined(0, "alice", "many");
  const bob = await joined(1, "bob", "many");
  await alice.press("Cut connection");
  await alice.state("Connection cut");
  const texts = Array.from({ length: 15 }, (_, number) => `text ${number}`);
  for (const text of texts) await alice.write(text);
  await alice.press("Reconnect");
  await bob.shows(texts);
  await alice.shows(texts);
  const refusals = alice.page.locator("#traffic").getByText("RATE_LIMIT_EXCEEDED");
  assert.notEqual(await refusals.count(), 0, "more than the limit were sent");
});

test("a message that is refused can be sent again", async () => {
  const alice = await joined(0, "alice", "user_alice");
  await alice.write("to myself");
  const message = alice.page.locator("#messages .message");
  await message.getByText("not sent: ").waitFor();
  await alice.press("Send again");
  await message.getByText("not sent: ").waitFor();
  assert.deepEqual(await alice.texts(), ["to myself"]);
  const attempts = await alice.page.locator("#traffic li.out").filter({ hasText: "message:send" });
  const keys = await attempts.allTextContents();
  assert.equal(keys.length, 2);
  assert.equal(new Set(keys.map((it) => /clientMessageId":"(\w+)"/.exec(it)[1])).size, 1);
});

test("a window whose node dies comes back by itself", async () => {
  const alice = await joined(0, "alice", "death");
  const bob = await joined(1, "bob", "death");
  await bob.write("before");
  await alice.shows(["before"]);
  const node = stage.cluster.nodes[0].process;
  node.child.kill("SIGKILL");
  await node.exited;
  await alice.state("Connection lost, reconnecting…");
  await bob.write("meanwhile");
  await bob.marked("meanwhile", "sent");
  stage.cluster.launch(0);
  await stage.cluster.ready(0);
  await alice.state("Connected as alice");
  await alice.write("again");
  await alice.shows(["before", "meanwhile", "again"]);
  await bob.shows(["before", "meanwhile", "again"]);
  // The browser itself reports every attempt that failed.
  alice.faults = alice.faults.filter((it) => !/WebSocket connection|Failed to load/.test(it));
});

test("markup in a text, a name and a room stays text", async () => {
  const evil = "<img src=x onerror=alert(1)><script>alert(2)</script>&lt;b&gt;";
  const alice = await joined(0, "alice", "markup");
  const bob = await joined(1, "bob", "markup");
  await alice.write(evil);
  await bob.shows([evil]);
  await alice.shows([evil]);
  for (const window of [alice, bob]) {
    await window.page.locator("#traffic").getByText("onerror=alert(1)").first().waitFor();
    assert.equal(await window.page.locator("img, #desk script").count(), 0);
  }
  await alice.press("Leave");
  await alice.page.getByLabel("Room", { exact: true }).fill(evil);
  await alice.page.keyboard.press("Enter");
  await alice.page.getByRole("alert").getByText(`${evil} cannot be joined`).waitFor();
  assert.equal(await alice.page.locator("img").count(), 0);
});

test("what a page must not do is forbidden by its policy", async () => {
  let asked = 0;
  const elsewhere = createServer((_, response) => response.end(String((asked += 1))));
  await new Promise((done) => elsewhere.listen(0, "127.0.0.1", done));
  const address = `http://127.0.0.1:${elsewhere.address().port}/`;
  const window = await opened();
  const { page } = window;
  const violations = (count) =>
    until(`violation ${count}`, () => window.faults.filter((it) => /Content.Security/.test(it)).length >= count);

  await page.evaluate((url) => (document.body.append(new Image()), (document.images[0].src = url)), address);
  await violations(1);
  await page.evaluate((url) => fetch(url).catch(() => undefined), address);
  await violations(2);
  await page.evaluate(() => document.body.insertAdjacentHTML("beforeend", "<b>x</b>")).then(
    () => assert.fail("text became markup"),
    (error) => assert.match(error.message, /TrustedHTML/),
  );
  assert.equal(asked, 0);
  elsewhere.close();

  const headers = window.response.headers();
  assert.equal(headers["x-content-type-options"], "nosniff");
  assert.match(headers["content-security-policy"], /frame-ancestors 'none'/);
  stage.windows.splice(0);
  await window.close();
});

test("a refused token says so, and a good one is not shown in the traffic", async () => {
  const window = await opened();
  await window.signIn("garbage");
  await window.page.getByRole("alert").getByText("The server refused").waitFor();
  const good = token("alice");
  await window.signIn(good);
  await window.state("Connected as alice");
  const traffic = await window.page.locator("#traffic").textContent();
  assert.match(traffic, /40\/conversation,\{"token":"…"\}/);
  assert.ok(!traffic.includes(good) && !traffic.includes(good.split(".")[2]));
});

for (const colorScheme of ["light", "dark"]) {
  test(`the page fits a phone, ${colorScheme}`, async () => {
    const phone = { viewport: { width: 360, height: 740 }, colorScheme };
    const window = await opened(phone);
    const overflow = () =>
      window.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.equal(await overflow(), 0);
    await window.signIn(token("alice"));
    await window.state("Connected as alice");
    await window.join(`phone-${colorScheme}`);
    await window.write("a-very-long-word-".repeat(30));
    await window.page.locator("#traffic-pane summary").click();
    await window.page.locator("#messages .message").waitFor();
    assert.ok((await overflow()) <= 0);
  });
}
