import { expect, test } from "vitest";
import { createLogger } from "#runtime";
import { progressFor } from "./progress.ts";

test("where programs read the log, a download is a line for every tenth of it", () => {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string) => void lines.push(JSON.parse(line));
  const progress = progressFor(createLogger({ name: "test", format: "json", write }), "json");
  progress.say("Fetching it, once.");
  for (let bytes = 0; bytes <= 1000; bytes += 25) progress.update(bytes, 1000);
  progress.done();
  expect(lines.map(({ message }) => message)).toEqual([
    "Fetching it, once.",
    ...Array(11).fill("downloading"),
  ]);
  expect(lines.slice(1).map(({ bytes }) => bytes)).toEqual([
    0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000,
  ]);
});
