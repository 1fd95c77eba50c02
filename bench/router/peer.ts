import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The indexes that the peer can be asked for, by the names of their Rust types. */
export const PEERS = ["RadixTree", "ConcurrentRadixTreeCompressed"] as const;

export interface PeerBuild {
  program?: string;
  /** Why there is no program. */
  problem?: string;
}

/** Builds the Rust program in `peer/`; the first time takes about a minute. A sentence where that does not work. */
export async function buildPeer(): Promise<PeerBuild> {
  const folder = fileURLToPath(new URL("peer", import.meta.url));
  const args = ["build", "--release", "--locked", "--quiet", "--target-dir", "target"];
  const { found, code, errors } = await runCargo(args, folder);
  if (!found)
    return { problem: "Dynamo's indexes are left out: building them takes cargo, which is not here." };
  if (code !== 0) {
    const last = errors.trim().split("\n").slice(-5).join("\n");
    return { problem: `Dynamo's indexes are left out: cargo could not build them.\n${last}` };
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
