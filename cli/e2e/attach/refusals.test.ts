import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../../../scripts/testing/temporary-folder.ts";
import { refusalOf } from "../refusal.ts";

const ENGINE = "http://127.0.0.1:1";

test.each([
  [
    ["http://localhost:8000"],
    "would be the gateway's own address. Use another port for the gateway: --port 8001.",
  ],
  [[ENGINE, "--port=0", "--kv-events=foo"], "'foo' is not a KV events endpoint"],
  [[ENGINE, "--port=0", "--engine-key=SECRET\n2"], "which a header cannot carry. Check --engine-key"],
  [["http://me:SECRET@127.0.0.1:1", "--port=0"], "Give its key with --engine-key"],
  [[ENGINE, `${ENGINE}/`, "--port=0"], `${ENGINE}/ is given twice. Name it once.`],
  [["--prefill", ENGINE, "--decode", ENGINE, "--port=0"], `${ENGINE} is given with two roles.`],
  [
    ["--prefill", ENGINE, "--port=0"],
    "--prefill engines only compute prompts. Add --decode engines, which answer.",
  ],
  [[ENGINE, "--port=8001", "--admin-port=8001"], "is the API's port too"],
])("stator attach %j is wrong usage, and no secret is repeated", async (args, message) => {
  const { code, stderr } = await refusalOf("attach", ...args, "--config=none");
  expect(code).toBe(2);
  expect(stderr).toContain(message);
  expect(stderr).not.toContain("SECRET");
});

test.each([
  [
    `engines: [{ url: ${ENGINE}, api-key: SECRET, nam: x }]`,
    'engines[0] is not right: Unrecognized key: "nam"',
  ],
  [`engines: [${ENGINE}, { api-key: SECRET }]`, "engines[1].url is not right"],
  ["engines: &a [*a]", "it has a circular reference"],
])("the file %j is refused, and no secret is repeated", async (yaml, message) => {
  const file = join(temporaryFolder(), "stator.yaml");
  await writeFile(file, yaml);
  const { code, stderr } = await refusalOf("attach", `--config=${file}`);
  expect(code).toBe(2);
  expect(stderr).toContain(message);
  expect(stderr).not.toContain("SECRET");
});
