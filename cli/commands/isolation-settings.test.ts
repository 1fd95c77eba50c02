import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { isolationSettings } from "./isolation-settings.ts";

type Given = Partial<Parameters<typeof isolationSettings>[0]>;

const options = (given: Given) => ({
  keys: undefined,
  isolate: "none" as const,
  "isolation-secret": undefined,
  "shared-prompts": [],
  ...given,
});

/** A file with this text. */
function fileOf(text: string | Buffer): string {
  const folder = mkdtempSync(join(tmpdir(), "stator-isolation-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "file");
  writeFileSync(path, text);
  return path;
}

test("without --isolate, nothing is kept apart", () => {
  expect(isolationSettings(options({ keys: "keys.yaml" }))).toBeUndefined();
});

test("without a secret, all processes of a run have the same one", () => {
  const [one, other] = [1, 2].map(() => isolationSettings(options({ keys: "keys.yaml", isolate: "key" })));
  expect(one).toEqual({ by: "key", secret: expect.stringMatching(/^[0-9a-f]{64}$/), sharedPrompts: [] });
  expect(other).toEqual(one);
});

test("secret and shared prompts come from files, without the line break at their end", () => {
  const given = {
    "isolation-secret": fileOf("0123456789abcdef\n"),
    "shared-prompts": [fileOf("Be brief.\n"), fileOf("Two\nlines\n\n")],
  };
  expect(isolationSettings(options({ keys: "keys.yaml", isolate: "group", ...given }))).toEqual({
    by: "group",
    secret: "0123456789abcdef",
    sharedPrompts: ["Be brief.", "Two\nlines\n"],
  });
});

const isolated: Given = { keys: "keys.yaml", isolate: "key" };

test.each<[string, Given, string]>([
  ["no keys", { isolate: "key" }, "needs --keys FILE"],
  ["a secret for nothing", { "isolation-secret": "x" }, "--isolation-secret needs --isolate"],
  ["prompts for nothing", { "shared-prompts": ["x"] }, "--shared-prompts needs --isolate"],
  ["a secret that is not there", { ...isolated, "isolation-secret": "/none" }, "/none cannot be read"],
  [
    "a secret without an end",
    { ...isolated, "isolation-secret": "/dev/zero" },
    "/dev/zero is no regular file",
  ],
  [
    "a prompt without an end",
    { ...isolated, "shared-prompts": ["/dev/zero"] },
    "/dev/zero is no regular file",
  ],
  ["a prompt that is not there", { ...isolated, "shared-prompts": ["/none"] }, "/none cannot be read"],
])("refuses %s", (_, given, message) => {
  expect(() => isolationSettings(options(given))).toThrow(message);
});

test("refuses a short secret and an empty prompt", () => {
  const short = { ...isolated, "isolation-secret": fileOf("short\n") };
  expect(() => isolationSettings(options(short))).toThrow("needs at least 16");
  expect(() => isolationSettings(options({ ...isolated, "shared-prompts": [fileOf("\n")] }))).toThrow(
    "is empty",
  );
});

test("refuses a long secret, and a prompt that is no text", () => {
  const long = { ...isolated, "isolation-secret": fileOf("x".repeat(5_000)) };
  expect(() => isolationSettings(options(long))).toThrow("has 5000 bytes, and a secret at most 4096");
  const binary = { ...isolated, "shared-prompts": [fileOf(Buffer.from([0x41, 0xff, 0xfe]))] };
  expect(() => isolationSettings(options(binary))).toThrow("is not text in UTF-8");
});
