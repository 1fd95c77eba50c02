import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";
import { readOptions } from "../options/read.ts";
import { attachOptions } from "../options/tables.ts";
import { kubernetesSources } from "./kubernetes-settings.ts";

afterEach(() => vi.unstubAllGlobals());

const sourceOf = (...flags: string[]) =>
  kubernetesSources(readOptions(attachOptions, ["--config=none", ...flags], {}).options);

it("is empty without a Kubernetes flag", () => {
  expect(sourceOf()).toEqual([]);
});

// Deno's node:https does not accept a cluster's own certificate authority.
it.each(["Deno", "Bun"])("is refused on %s", (runtime) => {
  vi.stubGlobal(runtime, {});
  expect(() => sourceOf("--kubernetes-selector=app=vllm")).toThrow(
    `--kubernetes-selector is not supported on ${runtime} yet; run stator attach on Node.`,
  );
});

it("has one source for each role", () => {
  const services = [
    "--kubernetes-service=a",
    "--kubernetes-prefill-service=p,q",
    "--kubernetes-decode-service=d",
  ];
  const folder = mkdtempSync(join(tmpdir(), "stator-kubeconfig-"));
  const kubeconfig = join(folder, "config");
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      "current-context": "c",
      contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
      clusters: [{ name: "c", cluster: { server: "http://127.0.0.1:1" } }],
      users: [{ name: "u", user: {} }],
    }),
  );
  const sources = sourceOf(...services, `--kubeconfig=${kubeconfig}`);
  rmSync(folder, { recursive: true });
  expect(sources.map(({ role, source }) => [role, source.services])).toEqual([
    [undefined, ["a"]],
    ["prefill", ["p", "q"]],
    ["decode", ["d"]],
  ]);
});
