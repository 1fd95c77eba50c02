import { describe, test } from "vitest";
import { drainInTurn, startThreeEngines } from "./three-engines.ts";

describe.each([
  ["one process", []],
  ["two processes", ["--processes=2"]],
])("in %s", (_, flags) => {
  const engines = startThreeEngines({ idleSeconds: 60, flags });

  test("the streams of engines that are drained go on at the others, and lose nothing", async () => {
    await drainInTurn(engines);
  });
});
