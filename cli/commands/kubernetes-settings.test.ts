import { afterEach, expect, it, vi } from "vitest";
import { readOptions } from "../options/read.ts";
import { attachOptions } from "../options/tables.ts";
import { kubernetesSource } from "./kubernetes-settings.ts";

afterEach(() => vi.unstubAllGlobals());

const sourceOf = (...flags: string[]) =>
  kubernetesSource(readOptions(attachOptions, ["--config=none", ...flags], {}).options);

it("is none where no flag speaks of a cluster", () => {
  expect(sourceOf()).toBeUndefined();
});

// Deno's node:https does not take a cluster's own authority.
it.each(["Deno", "Bun"])("is refused on %s", (runtime) => {
  vi.stubGlobal(runtime, {});
  expect(() => sourceOf("--kubernetes-selector=app=vllm")).toThrow(
    `--kubernetes-selector: not on ${runtime} yet; run stator attach on Node.`,
  );
});
