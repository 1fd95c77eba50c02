// `npm run test:native`: builds the NIXL addon with AddressSanitizer and runs its tests in a Node that has the
// sanitizer's runtime: the common suite, a peer killed in the middle of a transfer, a thousand agents made and dropped.
// Any use after free or overflow in the addon, or of its memory by NIXL, UCX or Node's allocator calls, ends the tests.
// Runs on the system's Node (20 or newer).
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { buildNative } from "./build-native.mjs";
import { ensureInstalled, main, pinnedNode, root, runToEnd, Stop } from "./install.mjs";
import { ensureNixl } from "./nixl.mjs";
import { ensureCompiler } from "./python.mjs";

const OPTIONS = [
  // Node and V8 keep pointers where the leak check does not look, so it reports what they still use. The test with a
  // thousand agents compares memory, threads and open files instead.
  "detect_leaks=0",
  // UCX loads its modules with dlopen and frees their memory by itself.
  "alloc_dealloc_mismatch=0",
  // Freed memory stays poisoned for long; at most this many megabytes of it.
  "quarantine_size_mb=64",
  "halt_on_error=1",
  "abort_on_error=1",
];

await main(async () => {
  await ensureInstalled();
  await ensureCompiler("c++");
  const addon = await buildNative("asan");
  const prefix = await ensureNixl();
  const runtime = spawnSync(process.env.CXX || "c++", ["-print-file-name=libasan.so"], { encoding: "utf8" });
  const sanitizer = runtime.stdout?.trim() ?? "";
  if (addon === undefined || prefix === undefined || !existsSync(sanitizer)) {
    console.error(
      "The memory-safety tests need Linux, NIXL and a C++ compiler with AddressSanitizer (libasan).",
    );
    throw new Stop(process.platform === "linux" ? 1 : 0);
  }
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const args = [vitest, "run", "--config", "vitest.native.config.ts", ...process.argv.slice(2)];
  return runToEnd(pinnedNode, args, {
    cwd: root,
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    env: {
      ...process.env,
      NIXL_PREFIX: prefix,
      STATOR_NIXL_ADDON: addon,
      LD_PRELOAD: sanitizer,
      ASAN_OPTIONS: OPTIONS.join(":"),
    },
  });
});
