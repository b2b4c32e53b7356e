// Two nodes and a browser for one file of tests. Every window that a test opened is closed after it,
// and must have asked its own node only and shown no fault.

import assert from "node:assert/strict";
import { after, afterEach, before } from "node:test";

import { Cluster } from "../js/cluster.js";
import { SECRET, Window, launch } from "./window.js";

export const stage = { cluster: undefined, browser: undefined, windows: [] };

before(async () => {
  stage.browser = await launch();
  stage.cluster = await Cluster.start(2, { PARLANCE_AUTH__JWT_SECRET: SECRET });
});
after(async () => {
  await stage.browser?.close();
  await stage.cluster?.stop();
});
afterEach(async () => {
  for (const window of stage.windows.splice(0)) {
    assert.deepEqual(window.strangers, [], "the page asks its own node only");
    assert.deepEqual(window.faults, [], "no errors, no violations of the policy");
    await window.close();
  }
});

/** A window of a node in which a user has signed in and joined a room. */
export async function joined(node, user, room, options) {
  const url = stage.cluster.url(node);
  return kept(await Window.joined(stage.browser, url, user, room, options));
}

/** A window of the first node. */
export async function opened(options) {
  return kept(await Window.open(stage.browser, stage.cluster.url(0), options));
}

function kept(window) {
  stage.windows.push(window);
  return window;
}
