import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const run = promisify(execFile);

test.each(["auto", "tcp"])("disaggregated: both answers are the same, by %s", async (kind) => {
  const { stdout } = await run(process.execPath, ["examples/disaggregated/main.ts", "--kv-transfer", kind]);
  expect(stdout).toMatch(/\[llama-prefill-0\] prefilled \d+ tokens in \d+/);
  expect(stdout).toMatch(
    /\[llama-decode-0\] received the KV of \d+ tokens, \d+\.\d MiB, in [\d.]+ ms over \w+/,
  );
  expect(stdout).toMatch(/prompt tokens computed by llama-prefill-0, answered by llama-decode-0,/);
  expect(stdout).toMatch(/prompt tokens computed by llama-0, answered by llama-0,/);
  expect(stdout).toContain("Both answers are the same.");
});
