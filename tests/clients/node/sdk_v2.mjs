// The TypeScript MCP SDK, version 2, as a client: `sdk_v2.mjs auto|legacy|2026-07-28`.

import assert from "node:assert/strict";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { firstSession, secondSession } from "./scenario.mjs";

const MODERN = "2026-07-28";
const asked = process.argv[2];
const mode = asked === MODERN ? { pin: MODERN } : asked;

async function withServer(act) {
  const client = new Client({ name: "sdk-v2", version: "1" }, { versionNegotiation: { mode } });
  await client.connect(new StdioClientTransport({ command: process.env.CLIENTS_BINARY, args: ["serve"], env: process.env }));
  const version = client.getNegotiatedProtocolVersion();
  assert.equal(version === MODERN, asked !== "legacy", `${asked} agrees on ${version}`);
  console.log(`ok: ${asked} agrees on ${version}`);
  try {
    await act(client);
  } finally {
    await client.close();
  }
}

await withServer(firstSession);
await withServer(secondSession);
