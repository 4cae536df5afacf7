// The TypeScript MCP SDK, version 1, as a client.

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { firstSession, secondSession } from "./scenario.mjs";

async function withServer(act) {
  const client = new Client({ name: "sdk-v1", version: "1" });
  await client.connect(new StdioClientTransport({ command: process.env.CLIENTS_BINARY, args: ["serve"], env: process.env }));
  try {
    await act(client);
  } finally {
    await client.close();
  }
}

await withServer(firstSession);
await withServer(secondSession);
