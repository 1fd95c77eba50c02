import { test } from "vitest";
import type { Faults } from "#stand-ins";
import { killInTurn, runAll, startThreeEngines } from "./three-engines.ts";

// One of three engines misbehaves while 64 streams run: nothing is lost. `moving.slow.test.ts` has the slow cases.

const engines = startThreeEngines();

test("streams lose nothing when one engine is killed", async () => {
  await killInTurn(engines, 1);
});

const faults: [string, Partial<Faults>][] = [
  ["hangs in the middle of its answers", { hangAfterTokens: 10 }],
  ["puts garbage into its streams", { garbageSse: true }],
];
test.each(faults)("streams lose nothing while one engine %s", async (_what, fault) => {
  const [victim] = engines;
  await victim!.faults(fault);
  await runAll(async () => {});
  await victim!.faults({});
});
