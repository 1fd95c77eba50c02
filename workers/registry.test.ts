import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

/** Broken modules by name: their lines, the line of the error, and its message. */
const MODULES: Record<string, [lines: string[], line: number, what: RegExp]> = {
  "syntax.ts": [["// One", "const a: number = 1;", "", "const b = ;"], 4, /Expression expected/],
  "syntax.mjs": [["// One", "", "const b = ;"], 3, /Unexpected token/],
  "throws.ts": [["const fail = (): never => {", "  throw new Error('boom');", "};", "fail();"], 2, /boom/],
  "unknown.ts": [["", "missing();"], 2, /missing is not defined/],
  "opens.ts": [
    ["export default {", "  name: 'mine',", "  open() {", "    JSON.parse('{');", "  },", "};"],
    4,
    /JSON/,
  ],
};

const folder = mkdtempSync(join(tmpdir(), "stator-test-"));
const pathOf = (name: string) => join(folder, name);
let messages: Record<string, string>;

beforeAll(() => {
  for (const [name, [lines]] of Object.entries(MODULES)) writeFileSync(pathOf(name), lines.join("\n"));
  writeFileSync(pathOf("outer.ts"), 'import "./syntax.ts";');
  writeFileSync(pathOf("empty.ts"), "export const a = 1;");
  const wanted = [...Object.keys(MODULES), "outer.ts", "empty.ts"].map(pathOf);
  // Node itself loads them, as these are its errors: Vitest would use Vite.
  const script = `
    import { loadWorker } from ${JSON.stringify(join(import.meta.dirname, "registry.ts"))};
    const messages = {};
    for (const path of ${JSON.stringify([...wanted, "./nowhere.ts", "ech"])}) {
      try {
        const worker = await loadWorker(path);
        await worker.open({});
      } catch (error) {
        messages[path] = error.message;
      }
    }
    process.stdout.write(JSON.stringify(messages));`;
  const args = ["--input-type=module", "--eval", script];
  messages = JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" }));
});

afterAll(() => rmSync(folder, { recursive: true }));

test.each(Object.entries(MODULES))(
  "the error in %s is reported with file and line",
  (name, [, line, what]) => {
    const path = pathOf(name);
    expect(messages[path]).toMatch(what);
    expect(messages[path]!.split(": ", 1)).toEqual([`${path}:${line}`]);
  },
);

test("an error in an imported module is reported with its own file and line", () => {
  expect(messages[pathOf("outer.ts")]).toBe(messages[pathOf("syntax.ts")]);
});

test("a module without a worker, and a missing module, have different errors", () => {
  expect(messages[pathOf("empty.ts")]).toContain("does not export a worker as its default: see defineWorker");
  expect(messages["./nowhere.ts"]).toMatch(/^There is no worker module \/.*nowhere.ts\.$/);
  expect(messages.ech).toContain("Did you mean 'echo'?");
});
