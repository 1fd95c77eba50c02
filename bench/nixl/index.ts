/**
 * Transfers between two processes on this host, as a ratio of one process's memcpy in the same run: NIXL, shared memory
 * and TCP.
 */
import { parseArgs } from "node:util";
import type { TransferKind } from "#native";
import { asUsage, runCommand, UsageError } from "../command-line.ts";
import { type KindMeasured, type Measured, measureKind } from "./measure.ts";

interface NixlOptions {
  readonly kinds: readonly TransferKind[];
  readonly json: boolean;
}

const KINDS = ["nixl", "shared-memory", "tcp"] as const;

const HELP = `npm run bench:nixl -- [OPTIONS]

Measures reads between two processes on this host, as a ratio of one process's memcpy in the same run.

  --kinds LIST   ways to transfer (${KINDS.join(",")})
  --json         print one object: {sizes: [{bytes, of_memcpy, microseconds}], scatter, fallbacks}
  --help         print this text
`;

function readOptions(argv: readonly string[]): NixlOptions | undefined {
  const { values } = asUsage(() =>
    parseArgs({
      args: [...argv],
      options: {
        json: { type: "boolean", default: false },
        kinds: { type: "string", default: KINDS.join(",") },
        help: { type: "boolean", default: false },
      },
    }),
  );
  if (values.help) return undefined;
  const kinds = values.kinds.split(",").map((name) => {
    const kind = KINDS.find((each) => each === name);
    if (kind === undefined) throw new UsageError(`--kinds may be ${KINDS.join(", ")}, not '${name}'.`);
    return kind;
  });
  return { kinds, json: values.json };
}

async function run({ kinds, json }: NixlOptions): Promise<void> {
  const results = new Map<TransferKind, KindMeasured>();
  for (const kind of kinds) {
    const measured = await measureKind(kind);
    results.set(kind, measured);
    if (!json) print(kind, measured);
  }
  const { nixl, ...fallbacks } = Object.fromEntries(results);
  if (json) console.log(JSON.stringify({ ...nixl, fallbacks }));
}

function print(kind: string, { sizes, scatter }: KindMeasured): void {
  const row = (name: string, { bytes, of_memcpy, microseconds }: Measured) =>
    console.log(
      `${name.padStart(22)} ${String(microseconds).padStart(9)} µs ${(bytes / microseconds / 1e3).toFixed(2).padStart(6)} GB/s  ${of_memcpy} of memcpy`,
    );
  console.log(`${kind}: reads from another process`);
  for (const size of sizes) row(`${size.bytes / 1024} KiB`, size);
  row("1,000 blocks of 32 KiB", scatter);
}

/** `npm run bench:nixl` */
await runCommand(HELP, () => readOptions(process.argv.slice(2)), run);
