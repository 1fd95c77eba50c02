import { test } from "vitest";
import { killInTurn, runAll, startThreeEngines } from "./three-engines.ts";

const engines = startThreeEngines();

test("streams lose nothing when one engine after the other is killed, 20 times in a row", async () => {
  await killInTurn(engines, 20);
});

test("streams lose nothing while one engine sends a gigabyte", async () => {
  await engines[0]!.faults({ endlessBody: true });
  await runAll(async () => {});
  await engines[0]!.faults({});
});
