import { afterAll, beforeAll } from "vitest";
import { temporaryFolder } from "../../scripts/testing/temporary-folder.ts";
import { suiteOfBytes } from "./bytes.suite.ts";
import { suiteOfDefects } from "./defects.suite.ts";
import { suiteOfHits } from "./hits.suite.ts";
import { suiteOfIsolation } from "./isolation.suite.ts";
import { becomesReady, suiteOfLosses } from "./losses.suite.ts";
import { suiteOfRouting } from "./routing.suite.ts";
import { attach, BLOCKS, type Setup } from "./setup.ts";
import { suiteOfTokens } from "./tokens.suite.ts";
import { VllmServer, writeTinyModel } from "./vllm-server.ts";

const setup = {} as Setup;

beforeAll(async () => {
  const begun = performance.now();
  setup.folder = temporaryFolder();
  writeTinyModel(setup.folder);
  const start = () => VllmServer.start(setup.folder, { blocks: BLOCKS });
  setup.servers = await Promise.all([start(), start()]);
  const seconds = Math.round((performance.now() - begun) / 1000);
  console.log(`Two vLLM servers are up after ${seconds} s.`);
  setup.url = (await attach(setup.servers.map(({ url }) => url))).url;
  for (const { url } of setup.servers) await becomesReady(setup.url, new URL(url).host);
});

afterAll(async () => {
  await Promise.all((setup.servers ?? []).map((server) => server.stop()));
});

suiteOfRouting(setup);
suiteOfBytes(setup);
suiteOfTokens(setup);
suiteOfIsolation(setup);
suiteOfHits(setup);
// These restart the first server.
suiteOfLosses(setup);
suiteOfDefects(setup);
