import { describe, test } from "vitest";
import { drainInTurn, startThreeEngines } from "./three-engines.ts";

describe.each([
  ["one process", []],
  ["two processes", ["--processes=2"]],
])("in %s", (_, flags) => {
  const engines = startThreeEngines({ idleSeconds: 60, flags });

  test("streams of drained engines continue on other engines without loss", async () => {
    await drainInTurn(engines);
  });
});
