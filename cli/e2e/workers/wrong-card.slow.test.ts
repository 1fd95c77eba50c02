import { describe, expect, test } from "vitest";
import { StatorProcess } from "../stator-process.ts";

describe("stator up with a wrong card", () => {
  const start = (wrong: object) =>
    new StatorProcess(
      ["up", "--port=0", "--config=none", "--engine=cli/e2e/workers/wrong-card.ts", "--workers=1"],
      { WRONG: JSON.stringify(wrong) },
    );

  test("exits with the worker's own message", async () => {
    const stator = start({ blockSize: null });
    expect(await stator.ended()).toBe(1);
    expect(stator.stderr).toContain(
      "The worker 'wrong-0' cannot serve its model: 'blockSize' in its engine's model card",
    );
    expect(stator.stdout).toBe("");
  });

  test("exits with the gateway's message if only the gateway can detect it", async () => {
    const stator = start({ chatTemplate: "{% for %}" });
    expect(await stator.ended()).toBe(1);
    expect(stator.stderr).toMatch(
      /refused a worker with an invalid model card worker=wrong-0 field=chatTemplate/,
    );
    expect(stator.stdout).toBe("");
  });
});
