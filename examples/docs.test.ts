import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");

/** The pages that show an example, without its head comment. */
test.each([
  ["README.md", "examples/chat.ts"],
  ["docs/workers.md", "examples/text-worker.ts"],
])("%s shows %s as it is", (page, example) => {
  const code = read(example).replace(/^\/\*\*.*?\*\/\n/s, "");
  expect(code).toMatch(/^import /);
  expect(read(page)).toContain(`\`\`\`ts\n${code}\`\`\`\n`);
});
