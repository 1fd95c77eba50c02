import { afterEach, expect, it, vi } from "vitest";
import { readOptions } from "../options/read.ts";
import { attachOptions } from "../options/tables.ts";
import { kubernetesSource } from "./kubernetes-settings.ts";

afterEach(() => vi.unstubAllGlobals());

const sourceOf = (...flags: string[]) =>
  kubernetesSource(readOptions(attachOptions, ["--config=none", ...flags], {}).options);

it("is undefined without a Kubernetes flag", () => {
  expect(sourceOf()).toBeUndefined();
});

// Deno's node:https does not accept a cluster's own certificate authority.
it.each(["Deno", "Bun"])("is refused on %s", (runtime) => {
  vi.stubGlobal(runtime, {});
  expect(() => sourceOf("--kubernetes-selector=app=vllm")).toThrow(
    `--kubernetes-selector is not supported on ${runtime} yet; run stator attach on Node.`,
  );
});
