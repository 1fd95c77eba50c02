import { test } from "vitest";
import type { Faults } from "#stand-ins";
import { killInTurn, runAll, startThreeEngines } from "./three-engines.ts";

const engines = startThreeEngines();

test("streams lose nothing while engines are killed in turn, 20 times", async () => {
  await killInTurn(engines, 20);
});

const faults: [string, Partial<Faults>][] = [
  ["sends a gigabyte", { endlessBody: true }],
  ["hangs before its answers", { hangBeforeHead: true }],
  ["closes each connection after one chunk", { closeAfterChunks: 1 }],
  ["answers with something that is not HTTP", { garbageHttp: true }],
  ["answers every request with 500", { status: 500, share: 1 }],
  ["answers half of the requests with 503", { status: 503, share: 0.5 }],
];
test.each(faults)("streams lose nothing while one engine %s", async (_what, fault) => {
  await engines[0]!.faults(fault);
  await runAll(async () => {});
  await engines[0]!.faults({});
});
