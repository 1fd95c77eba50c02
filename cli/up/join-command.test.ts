import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { joinCommand } from "./join-command.ts";

const servers = { discovery: "etcd://127.0.0.1:1", nats: "nats://127.0.0.1:2" };
const options = {
  engine: "llama",
  model: undefined,
  "model-name": undefined,
  events: "workers",
  "kv-events-key": undefined,
  lora: [],
};

test.each([
  [{}, ""],
  [{ events: "nats:" }, " --events nats://127.0.0.1:2"],
  [{ events: "nats://10.0.0.1:4222/name" }, " --events nats://10.0.0.1:4222/name"],
  [{ "kv-events-key": "/run/key" }, " --private-kv-events --kv-events-key /run/key"],
  [{ model: "hf:a/b/c.gguf", "model-name": "c" }, " --model hf:a/b/c.gguf --model-name c"],
  [{ lora: [["sql", "/sql.gguf"] as const] }, " --lora sql=/sql.gguf"],
])("with %j, a worker joins with the flags%s", (own, flags) => {
  expect(joinCommand({ ...options, ...own }, servers)).toBe(
    `npm run stator -- worker llama --discovery etcd://127.0.0.1:1${flags}`,
  );
});

test("a shell takes each word as it is", () => {
  const model = "./Bob's models/$HOME & more.gguf";
  const command = joinCommand({ ...options, model }, servers).replace("npm run stator --", "printf '%s\\n'");
  expect(execFileSync("sh", ["-c", command], { encoding: "utf8" }).split("\n")).toContain(model);
});
