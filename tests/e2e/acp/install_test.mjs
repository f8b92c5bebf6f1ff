// Before a model is there: it is offered, comes with progress, can be declined and cancelled; while it loads, that is said.
import { test } from "node:test";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { copyFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Agent, acp, program, temporaryFolder } from "./harness.mjs";

const METHOD = acp.methods.agent.session;
const root = fileURLToPath(new URL("../../..", import.meta.url));

async function started(options, model) {
  const agent = new Agent(options);
  await agent.initialize();
  const { sessionId } = await agent.newSession(temporaryFolder());
  if (model) await agent.request(METHOD.setConfigOption, { sessionId, configId: "model", value: model });
  return { agent, sessionId };
}
const calls = (agent, sessionId) => agent.updatesOf(sessionId).filter((u) => u.toolCallId);
const texts = (agent, sessionId) => calls(agent, sessionId).flatMap((u) => (u.content ?? []).map((c) => c.content.text));

test("a model that is not installed is offered; accepted, it comes with progress and answers", async () => {
  const { agent, sessionId } = await started({}, "installable");
  assert.equal((await agent.prompt(sessionId, "!say hello")).stopReason, "end_turn");
  const { toolCall, options } = agent.permissions[0];
  assert.equal(toolCall.title, "Install installable (12.1 GB, Apache License 2.0 (apache-2.0))");
  assert.deepEqual(options.map((o) => o.kind), ["allow_once", "reject_once"]);
  assert.deepEqual([...new Set(calls(agent, sessionId).map((u) => u.status).filter(Boolean))], ["pending", "in_progress", "completed"]);
  assert.ok(texts(agent, sessionId).some((t) => /^\d+ % of 12\.1 GB/.test(t)), texts(agent, sessionId).join("|"));
  assert.equal(agent.said(sessionId), "hello");
  const next = await agent.newSession(temporaryFolder());
  await agent.prompt(next.sessionId, "!say again");
  assert.equal(agent.said(next.sessionId), "again");
  assert.equal(agent.permissions.length, 1);
  await agent.stop();
});

test("declined, it says what to do, and offers again when asked again", async () => {
  let answer = "not_now";
  const { agent, sessionId } = await started({ onPermission: () => answer }, "installable");
  assert.equal((await agent.prompt(sessionId, "!say hello")).stopReason, "end_turn");
  assert.match(agent.said(sessionId), /'gptoss install installable'/);
  assert.equal(calls(agent, sessionId).at(-1).status, "failed");
  answer = null; // the client ends the turn instead
  assert.equal((await agent.prompt(sessionId, "!say hello")).stopReason, "cancelled");
  answer = "install";
  await agent.prompt(sessionId, "!say hello");
  assert.equal(agent.permissions.length, 3);
  assert.ok(agent.said(sessionId).endsWith("hello"));
  await agent.stop();
});

test("a model that cannot be installed here says what to do", async () => {
  const { agent, sessionId } = await started({}, "absent");
  await agent.prompt(sessionId, "!say hello");
  assert.match(agent.said(sessionId), /cannot answer yet.*gptoss install/);
  assert.equal(agent.permissions.length, 0);
  await agent.stop();
});

test("a cancel during the download, and the end of the input", async () => {
  const { agent, sessionId } = await started({}, "installable");
  const progress = () => texts(agent, sessionId).some((t) => t.includes("% of"));
  const turn = agent.prompt(sessionId, "!say hello");
  await agent.until(progress, "progress");
  await agent.cancel(sessionId);
  assert.equal((await turn).stopReason, "cancelled");
  assert.equal(calls(agent, sessionId).at(-1).status, "failed");
  const before = calls(agent, sessionId).length;
  agent.prompt(sessionId, "!say hello").catch(() => {});
  await agent.until(() => calls(agent, sessionId).length > before + 2, "the second try");
  await agent.stop();
});

test("sessions that want the same model wait for one download", async () => {
  const { agent, sessionId } = await started({}, "installable");
  const other = await agent.newSession(temporaryFolder());
  const first = agent.prompt(sessionId, "!say one");
  await agent.until(() => texts(agent, sessionId).some((t) => t.includes("% of")), "progress");
  const second = agent.prompt(other.sessionId, "!say two");
  assert.equal((await first).stopReason, "end_turn");
  assert.equal((await second).stopReason, "end_turn");
  assert.equal(agent.said(other.sessionId), "two");
  assert.equal(agent.permissions.length, 1);
  await agent.stop();
});

test("while a model loads, that is said; other sessions, options and a cancel go on", async () => {
  const { agent, sessionId } = await started({}, "loading");
  const thoughts = () => agent.updatesOf(sessionId, "agent_thought_chunk").map((u) => u.content.text).join("");
  const turn = agent.prompt(sessionId, "!say loaded");
  await agent.until(() => /Loading the model: \d+ %/.test(thoughts()), "progress");
  const other = await agent.newSession(temporaryFolder());
  await agent.request(METHOD.setConfigOption, { sessionId: other.sessionId, configId: "model", value: "scripted" });
  await agent.prompt(other.sessionId, "!say meanwhile");
  await agent.cancel(sessionId);
  assert.equal((await turn).stopReason, "cancelled");
  assert.equal((await agent.prompt(sessionId, "!say loaded")).stopReason, "end_turn");
  assert.equal(agent.said(sessionId), "loaded");
  await agent.stop();
});

// ---- the program itself, and a Hub -------------------------------------------------------------------------

// The demo's files under the name of the model that is offered.
async function fakeHub() {
  const folder = temporaryFolder();
  for (const file of ["config.json", "model.safetensors", "tokenizer.json"]) copyFileSync(join(root, "models/demo", file), join(folder, file));
  const child = spawn("python3", [join(root, "tests/e2e/hub/fake_hub.py"), "--dir", folder, "--name", "mlx-community/gpt-oss-20b-MXFP4-Q8"],
    { stdio: ["pipe", "pipe", "inherit"], env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1" } });
  const endpoint = await new Promise((resolve, reject) => {
    let said = "";
    child.on("exit", (code) => reject(new Error(`the fake Hub ended with ${code}: ${said}`)));
    child.stdout.on("data", (data) => {
      said += data;
      const found = said.match(/HF_ENDPOINT=(\S+)/);
      if (found) resolve(found[1]);
    });
  });
  return { endpoint, stop: () => child.kill("SIGKILL") };
}

test("gptoss acp without a model offers GPT-OSS 20B, installs it from the Hub with the licence on record, and answers", async () => {
  const hub = await fakeHub();
  try {
    const home = temporaryFolder(), cwd = temporaryFolder();
    const env = { HF_ENDPOINT: hub.endpoint, HF_HOME: join(home, "hf"), GPTOSS_HUB_DISK_MARGIN: "1000000" };
    const options = { command: program, args: ["acp"], home, env };
    let answer = "not_now";
    const agent = new Agent({ ...options, onPermission: () => answer });
    await agent.initialize();
    const { sessionId, modes, configOptions } = await agent.newSession(cwd);
    assert.match(modes.availableModes[0].description, /not available: gpt-oss-20b is not installed/);
    assert.equal(configOptions.find((o) => o.id === "model").currentValue, "gpt-oss-20b");
    await agent.prompt(sessionId, "What is 2+2?");
    assert.match(agent.said(sessionId), /'gptoss install gpt-oss-20b'/);
    assert.match(agent.permissions[0].toolCall.title, /Install gpt-oss-20b \(12\.1 GB, Apache.*apache-2\.0/);
    assert.match(agent.permissions[0].toolCall.content[0].content.text, /mlx-community\/gpt-oss-20b-MXFP4-Q8[\s\S]*https:/);
    const record = join(home, "state/acknowledgements.jsonl");
    assert.ok(!existsSync(record));
    answer = "install";
    await agent.prompt(sessionId, "What is 2+2?");
    assert.ok(agent.updatesOf(sessionId, "tool_call_update").some((u) => u.status === "completed"), agent.said(sessionId));
    const kept = JSON.parse(readFileSync(record, "utf8").trim());
    assert.equal(kept.licence, "apache-2.0");
    assert.equal(kept.model, "mlx-community/gpt-oss-20b-MXFP4-Q8");
    assert.match(kept.how, /gptoss acp/);
    const usage = agent.updatesOf(sessionId, "usage_update").at(-1);
    assert.ok(usage.used > 0 && usage.size > 0, "the installed model has answered");
    await agent.stop();
    const again = new Agent(options);
    await again.initialize();
    const next = await again.newSession(cwd);
    assert.doesNotMatch(next.modes.availableModes[0].description, /not available/);
    assert.equal((await again.prompt(next.sessionId, "What is 2+2?")).stopReason, "end_turn");
    assert.equal(again.permissions.length, 0);
    await again.stop();
  } finally {
    hub.stop();
  }
});

test("the demo can be chosen before anything is installed", async () => {
  const agent = new Agent({ command: program, args: ["acp"], env: { HF_ENDPOINT: "http://127.0.0.1:9" } });
  await agent.initialize();
  const { sessionId } = await agent.newSession(temporaryFolder());
  await agent.request(METHOD.setConfigOption, { sessionId, configId: "model", value: "demo" });
  assert.equal((await agent.prompt(sessionId, "hello")).stopReason, "end_turn");
  assert.notEqual(agent.said(sessionId), "");
  assert.equal(agent.permissions.length, 0);
  await agent.stop();
});
