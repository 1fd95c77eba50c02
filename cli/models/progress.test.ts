import { expect, test } from "vitest";
import { createLogger } from "#runtime";
import { progressFor } from "./progress.ts";

test("in a JSON log, a download is one line per tenth", () => {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string) => void lines.push(JSON.parse(line));
  const progress = progressFor(createLogger({ name: "test", format: "json", write }), "json");
  progress.say("Downloading it, only this once.");
  for (let bytes = 0; bytes <= 1000; bytes += 25) progress.update(bytes, 1000);
  progress.done();
  expect(lines.map(({ message }) => message)).toEqual([
    "Downloading it, only this once.",
    ...Array(11).fill("downloading"),
  ]);
  expect(lines.slice(1).map(({ bytes }) => bytes)).toEqual([
    0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000,
  ]);
});
