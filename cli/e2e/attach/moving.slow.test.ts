import { test } from "vitest";
import type { Faults } from "#stand-ins";
import { killInTurn, runAll, startThreeEngines } from "./three-engines.ts";

// One of three engines misbehaves while 64 streams run: nothing is lost.

const engines = startThreeEngines();

test("streams lose nothing while each engine is killed twice", async () => {
  await killInTurn(engines, 6);
});

const faults: [string, Partial<Faults>][] = [
  ["hangs in the middle of its answers", { hangAfterTokens: 10 }],
  ["puts garbage into its streams", { garbageSse: true }],
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
