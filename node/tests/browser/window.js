// A browser window with the example page, used as a person uses it.

import { execFileSync } from "node:child_process";
import { chromium } from "playwright-core";

import { BINARY, SOON_MS, until } from "../js/cluster.js";

export const SECRET = "a secret that only the page's tests know, long enough";

/** Debian's browser. Where it is missing the tests fail. */
export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** A token as an operator makes one. */
export function token(user) {
  const env = { PARLANCE_AUTH__JWT_SECRET: SECRET };
  return execFileSync(BINARY, ["token", "--sub", user], { env, encoding: "utf8" }).trim();
}

export class Window {
  /** Opens the page of a node. */
  static async open(browser, url, options = {}) {
    const context = await browser.newContext(options);
    context.setDefaultTimeout(SOON_MS);
    const window = new Window(await context.newPage(), url);
    window.response = await window.page.goto(url);
    return window;
  }

  /** Opens it, signs in, and joins a room. */
  static async joined(browser, url, user, room, { dialect, ...options } = {}) {
    const window = await Window.open(browser, url, options);
    if (dialect) await window.page.getByLabel("Dialect").selectOption(dialect);
    await window.signIn(token(user));
    await window.state(`Connected as ${user}`);
    await window.join(room);
    return window;
  }

  constructor(page, url) {
    this.page = page;
    this.origin = new URL(url).origin;
    this.strangers = [];
    this.faults = [];
    page.on("request", (request) => this.noteAddress(request.url()));
    page.on("websocket", (socket) => this.noteAddress(socket.url()));
    page.on("pageerror", (error) => this.faults.push(error.message));
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) this.faults.push(message.text());
    });
  }

  noteAddress(address) {
    const { protocol, origin } = new URL(address.replace(/^ws/, "http"));
    if (protocol !== "data:" && origin !== this.origin) this.strangers.push(address);
  }

  async signIn(text) {
    await this.page.getByLabel("Token").fill(text);
    await this.page.keyboard.press("Enter");
  }

  /** Goes into a room, out of the one that it may be in. */
  async join(room) {
    const leave = this.page.getByRole("button", { name: "Leave" });
    if (await leave.isVisible()) await leave.click();
    await this.page.getByLabel("Room", { exact: true }).fill(room);
    await this.page.keyboard.press("Enter");
    await this.page.getByRole("list", { name: "Online" }).getByText("(you)").waitFor();
  }

  async write(text) {
    await this.page.getByLabel("Message", { exact: true }).fill(text);
    await this.page.keyboard.press("Enter");
  }

  press(button) {
    return this.page.getByRole("button", { name: button }).click();
  }

  /** Waits until the bar says this. */
  state(text) {
    return this.page.locator("#state").getByText(text).waitFor();
  }

  texts() {
    return this.page.locator("#messages .message .text").allTextContents();
  }

  /** Waits until the list is exactly this. */
  async shows(texts) {
    const wanted = JSON.stringify(texts);
    let shown;
    await until(`the messages ${wanted}`, async () => {
      shown = JSON.stringify(await this.texts());
      return shown === wanted;
    }).catch((error) => {
      throw new Error(`${error.message}; shown are ${shown}`);
    });
  }

  /** Waits until the message with this text has this mark. */
  marked(text, mark) {
    const message = this.page.locator("#messages .message").filter({ hasText: text });
    return message.locator(".mark").getByText(mark, { exact: true }).waitFor();
  }

  /** Waits until the list of people is exactly this. */
  async sees(people) {
    const wanted = JSON.stringify(people);
    let shown;
    await until(`the people ${wanted}`, async () => {
      const lines = await this.page.locator("#people li").all();
      const texts = lines.map((it) => it.locator("span").allTextContents());
      shown = JSON.stringify((await Promise.all(texts)).map((it) => it.join(" ")));
      return shown === wanted;
    }).catch((error) => {
      throw new Error(`${error.message}; shown are ${shown}`);
    });
  }

  /** As if another tab were in front. */
  pretendHidden(isHidden) {
    return this.page.evaluate((state) => {
      Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, isHidden ? "hidden" : "visible");
  }

  close() {
    return this.page.context().close();
  }
}
