import { afterAll, beforeAll } from "vitest";
import { attach } from "../../cli/e2e/access/attached.ts";
import { temporaryFolder } from "../../scripts/testing/temporary-folder.ts";
import { MODEL, VllmServer, writeScriptedModel } from "../vllm/vllm-server.ts";
import { suiteOfTools } from "./tools.suite.ts";

// The same with a real vLLM, whose own parsers find the calls: with its own Messages and Responses, and translated.
// Run it with `npm run test:clients -- --vllm vllm`.

let server: VllmServer;
let own: string;
let translated: string;

beforeAll(async () => {
  const folder = temporaryFolder();
  writeScriptedModel(folder);
  server = await VllmServer.start(folder, { isScripted: true });
  ({ url: own } = await attach([server.url], "--stabilise-prefix"));
  ({ url: translated } = await attach([server.url], "--translate=always"));
});

afterAll(() => server.stop());

suiteOfTools("a real vLLM", { url: () => own, model: MODEL, knowsReferences: false });
suiteOfTools("a real vLLM, translated", { url: () => translated, model: MODEL });
