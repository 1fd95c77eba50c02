import { describe, expect, test } from "vitest";
import { canonicalPath, hasDotSegments } from "./paths.ts";

describe("the canonical path", () => {
  test.each([
    ["/", "/"],
    ["", "/"],
    ["//", "/"],
    ["/v1/chat/completions", "/v1/chat/completions"],
    ["/v1/chat/completions/", "/v1/chat/completions"],
    ["/v1//chat///completions//?a=//", "/v1/chat/completions"],
    ["//v1/chat/completions", "/v1/chat/completions"],
    ["/v1/%6coad_lora_adapter", "/v1/load_lora_adapter"],
    ["/v1/%4D%2d%7E", "/v1/M-~"],
    ["/v1/files/a%2fb", "/v1/files/a%2Fb"],
    ["/v1/files/a%252fb", "/v1/files/a%252fb"],
    ["/v1/models/meta-llama/Llama%3A8b", "/v1/models/meta-llama/Llama%3A8b"],
    ["/v1/models//models/qwen%203", "/v1/models//models/qwen%203"],
    ["/v1//models//models/qwen", "/v1/models//models/qwen"],
    ["/v1/models/", "/v1/models"],
    ["/v1/models//", "/v1/models"],
  ])("of %s is %s", (given, path) => {
    expect(canonicalPath(`http://localhost:8000${given}`)).toBe(path);
  });

  test("is idempotent", () => {
    for (const path of ["/v1/models//a/b", "/a%2Fb", "/v1/x"])
      expect(canonicalPath(`http://localhost${path}`)).toBe(path);
  });
});

test.each([
  ["/v1/../admin", true],
  ["/v1/./x", true],
  ["/v1/%2e%2E/admin", true],
  ["/v1/.%2e%2fadmin", true],
  ["/v1\\..\\admin", true],
  ["/v1/..%5cadmin", true],
  ["/v1/..", true],
  ["..", true],
  ["/v1/...", false],
  ["/v1/a..b", false],
  ["/v1/.well-known", false],
  ["/v1/x?path=../y", false],
])("whether %s has dot segments: %s", (path, has) => {
  expect(hasDotSegments(path)).toBe(has);
});
