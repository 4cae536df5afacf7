// What each TypeScript client does with the server, and what must come back.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

export const FACT = "The staging database listens on port 6543; its nickname is zanzibar.";
const QUESTION = "What is the nickname of the staging database?";
const BUDGET = 300;

// prettier-ignore
const TOOLS = [
  "delegate_task", "run_workflow", "get_run", "cancel_run", "list_agents",
  "memory_store", "memory_recall", "memory_update", "memory_forget",
  "context_compress", "context_retrieve", "context_pack", "count_tokens", "server_health",
];

const textOf = (result) => result.content.map((block) => block.text ?? "").join("");

async function call(client, name, args) {
  const result = await client.callTool({ name, arguments: args });
  assert.ok(!result.isError, `${name} succeeds: ${textOf(result)}`);
  assert.notEqual(textOf(result), "", `${name} has text for clients that read only text`);
  console.log(`ok: ${name}`);
  return result.structuredContent;
}

async function refusal(client, name, args) {
  let result;
  try {
    result = await client.callTool({ name, arguments: args });
  } catch (error) {
    return error.message;
  }
  assert.equal(result.isError, true, `${name} refuses ${JSON.stringify(args)}: ${textOf(result)}`);
  return textOf(result);
}

// The clients check each answer against the tool's output schema by themselves once tools are listed.
export async function firstSession(client) {
  const { tools } = await client.listTools();
  assert.deepEqual(tools.map((tool) => tool.name), TOOLS);
  for (const tool of tools) {
    assert.ok(tool.description, `${tool.name} says what it is for`);
    assert.ok(tool.outputSchema, `${tool.name} has an output schema`);
  }
  console.log("ok: tools/list has the fourteen tools in order");

  const { stored } = await call(client, "memory_store", { memories: [{ text: FACT }] });
  assert.equal(stored[0].status, "stored");
  const { memories } = await call(client, "memory_recall", { query: QUESTION });
  assert.match(memories[0].text, /zanzibar/);
  assert.equal(memories[0].id, stored[0].id);

  const original = readFileSync("ARCHITECTURE.md", "utf8");
  const fitted = await call(client, "context_compress", { path: "ARCHITECTURE.md", max_tokens: BUDGET });
  const counted = await call(client, "count_tokens", { text: fitted.text });
  assert.equal(counted.total, fitted.tokens_after);
  assert.ok(fitted.tokens_after > 0 && fitted.tokens_after <= BUDGET, `${fitted.tokens_after} tokens`);
  assert.ok(fitted.tokens_before > BUDGET);

  // JavaScript cuts text inside a surrogate pair and sends half an emoji; it must get an answer.
  const half = "half an emoji: \ud83d";
  const answer = await client.callTool({ name: "count_tokens", arguments: { text: half } }).catch((error) => error);
  assert.doesNotMatch(String(answer.message ?? ""), /timed out/i, "half an emoji is answered");
  console.log("ok: half an emoji is answered");

  assert.match(await refusal(client, "memory_recall", { query: 5 }), /\/query/);
  assert.match(await refusal(client, "no_such_tool", {}), /no_such_tool/);
  console.log("ok: wrong params are refused with the JSON pointer");
  const again = await call(client, "count_tokens", { text: original });
  assert.equal(again.total, fitted.tokens_before);
}

export async function secondSession(client) {
  const { memories } = await call(client, "memory_recall", { query: QUESTION });
  assert.match(memories[0].text, /zanzibar/);
  console.log("ok: a new server still knows the fact");
}
