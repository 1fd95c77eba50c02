import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runPython, runScript } from "../hosts.ts";
import { startWorkerd } from "../workerd-server.ts";
import { recordTrace, recordWrongTrace } from "./scenarios.ts";
import type { Report, Trace } from "./trace.ts";

// The core must give identical answers and use the same memory on all five hosts.

const here = (file: string) => join(import.meta.dirname, file);
const wasiModule = here("../../router-wasm/router.wasi.wasm");

/** Replays the trace in a file on each host. */
const HOSTS: Record<string, (trace: string, json: string) => Promise<unknown>> = {
  Node: (trace) => runScript("node", here("node.ts"), trace),
  Deno: (trace) => runScript("deno", here("deno.ts"), trace),
  Bun: (trace) => runScript("bun", here("bun.ts"), trace),
  workerd: (_, json) => replayOnWorkerd(json),
  "Python, as a WASI module": (trace) => runPython(here("wasi.py"), wasiModule, trace),
};

let folder: string;
/** Memory used by each scenario, by host. */
const memory = new Map<string, number[]>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stator-hosts-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("the router core", () => {
  const traces = { right: "", wrong: "" };

  beforeAll(async () => {
    traces.right = JSON.stringify(recordTrace(20_261_125));
    traces.wrong = JSON.stringify(recordWrongTrace());
    for (const [name, json] of Object.entries(traces)) await writeFile(join(folder, name), json);
  });

  const replay = async (host: string, name: keyof typeof traces) =>
    (await HOSTS[host]!(join(folder, name), traces[name])) as Report;

  for (const host of Object.keys(HOSTS)) {
    it(`agrees with the reference model on ${host}`, async () => {
      const { checks, failures, memoryBytes } = await replay(host, "right");
      expect(failures).toEqual([]);
      expect(checks).toBe(answersIn(JSON.parse(traces.right)));
      memory.set(host, memoryBytes);
    });

    it(`is checked on ${host}: a wrong answer is reported`, async () => {
      const { failures } = await replay(host, "wrong");
      expect(failures).toEqual([{ scenario: "a wrong answer", step: 1, expected: 7, actual: 1 }]);
    });
  }

  it("uses the same memory everywhere", () => {
    expect([...memory.keys()]).toEqual(Object.keys(HOSTS));
    for (const bytes of memory.values()) expect(bytes).toEqual(memory.get("Node"));
  });
});

function answersIn({ vectors, scenarios }: Trace): number {
  const steps = scenarios.flatMap((scenario) => scenario.steps);
  return 2 * vectors.length + steps.filter((step) => "expect" in step).length;
}

async function replayOnWorkerd(json: string): Promise<unknown> {
  const server = await startWorkerd(here("workerd.ts"));
  try {
    const response = await fetch(server.url, { method: "POST", body: json });
    return await response.json();
  } finally {
    await server.close();
  }
}
