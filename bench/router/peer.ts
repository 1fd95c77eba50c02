import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The peer's indexes, by the names of their Rust types. */
export const PEERS = ["RadixTree", "ConcurrentRadixTreeCompressed"] as const;

export interface PeerBuild {
  program?: string;
  /** Why there is no program. */
  problem?: string;
}

/** Builds the Rust program in `peer/`, which takes about a minute the first time. */
export async function buildPeer(): Promise<PeerBuild> {
  const folder = fileURLToPath(new URL("peer", import.meta.url));
  const args = ["build", "--release", "--locked", "--quiet", "--target-dir", "target"];
  const { found, code, errors } = await runCargo(args, folder);
  if (!found)
    return { problem: "Dynamo's indexes are omitted: building them requires cargo, which is not installed." };
  if (code !== 0) {
    const last = errors.trim().split("\n").slice(-5).join("\n");
    return { problem: `Dynamo's indexes are omitted: cargo could not build them.\n${last}` };
  }
  return { program: `${folder}/target/release/stator-router-peer` };
}

function runCargo(args: readonly string[], cwd: string) {
  return new Promise<{ found: boolean; code: number | null; errors: string }>((resolve) => {
    const cargo = spawn("cargo", args, { cwd, stdio: ["ignore", "ignore", "pipe"] });
    let errors = "";
    cargo.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors += text;
    });
    cargo.on("error", () => resolve({ found: false, code: null, errors }));
    cargo.on("close", (code) => resolve({ found: true, code, errors }));
  });
}
