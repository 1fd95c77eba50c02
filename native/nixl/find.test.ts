import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findNixl } from "./find.ts";

describe.skipIf(process.platform !== "linux")("finding NIXL", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "stator-nixl-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const place = (path: string): string => {
    const library = join(folder, path, "libnixl_capi.so");
    mkdirSync(dirname(library), { recursive: true });
    writeFileSync(library, "");
    return library;
  };
  const WHEEL = "lib/python3.12/site-packages/.nixl_cu12.mesonpy.libs";

  it("prefers the configured path, then NIXL_PREFIX, then the active Python environment", () => {
    const [configured, prefixed, active] = [
      place("configured"),
      place("prefix/lib64"),
      place(`venv/${WHEEL}`),
    ];
    const environment = { NIXL_PREFIX: join(folder, "prefix"), VIRTUAL_ENV: join(folder, "venv") };
    expect(findNixl(configured, environment).library).toBe(configured);
    expect(findNixl(undefined, environment).library).toBe(prefixed);
    const found = findNixl(undefined, { VIRTUAL_ENV: environment.VIRTUAL_ENV });
    expect(found).toEqual({
      library: active,
      why: `found in the Python environment ${environment.VIRTUAL_ENV}`,
    });
  });

  it("finds a wheel of any CUDA version through a Python on PATH, and in the forms that NIXL_PREFIX may have", () => {
    const library = place(`python/${WHEEL.replace("cu12", "cu13")}`);
    mkdirSync(join(folder, "python/bin"));
    writeFileSync(join(folder, "python/bin/python3"), "");
    expect(findNixl(undefined, { PATH: `/nonexistent:${join(folder, "python/bin")}` }).library).toBe(library);
    for (const prefix of [
      "python",
      "python/lib/python3.12/site-packages",
      dirname(library).slice(folder.length + 1),
    ])
      expect(findNixl(undefined, { NIXL_PREFIX: join(folder, prefix) }).library).toBe(library);
  });

  it("does not search past a configured place that has none", () => {
    place(`venv/${WHEEL}`);
    const environment = { NIXL_PREFIX: folder, VIRTUAL_ENV: join(folder, "venv") };
    expect(() => findNixl(undefined, environment)).toThrow(`NIXL_PREFIX is ${folder}`);
    expect(() => findNixl(join(folder, "none.so"), environment)).toThrow("does not exist");
  });
});
