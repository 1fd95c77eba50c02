import { test } from "vitest";
import { killInTurn, runAll, startThreeEngines } from "./three-engines.ts";

const engines = startThreeEngines();

test("streams lose nothing while engines are killed in turn, 20 times", async () => {
  await killInTurn(engines, 20);
});

test("streams lose nothing while one engine sends a gigabyte", async () => {
  await engines[0]!.faults({ endlessBody: true });
  await runAll(async () => {});
  await engines[0]!.faults({});
});
