import type { WorkerRole } from "#runtime";
import { UsageError } from "../options/read.ts";
import type { UpOptions } from "../options/tables.ts";

/** A worker process that `stator up` starts. */
export interface PlannedWorker {
  readonly name: string;
  readonly role: WorkerRole;
  readonly engine: string;
}

const DEFAULT_WORKERS = 2;

/**
 * The workers to start, each with its name: `llama-0`, or `llama-prefill-0` with a role of its own.
 * @throws UsageError for roles that cannot answer together
 */
export function plannedWorkers(
  engine: string,
  options: Pick<UpOptions, "workers" | "prefill-workers" | "decode-workers" | "encode-workers" | "ocr">,
): PlannedWorker[] {
  const { "prefill-workers": prefill, "decode-workers": decode } = options;
  if (engine === "ocr")
    throw new UsageError("The ocr engine only reads pictures for another model: use --ocr FOLDER with that.");
  const aggregated = options.workers ?? (prefill + decode > 0 ? 0 : DEFAULT_WORKERS);
  if (prefill + decode + aggregated === 0)
    throw new UsageError("Without workers nobody answers: --workers 2, for example.");
  if (prefill > 0 && decode + aggregated === 0)
    throw new UsageError("--prefill-workers only compute prompts; add --decode-workers, which answer.");
  if (decode > 0 && prefill + aggregated === 0)
    throw new UsageError("--decode-workers need the KV of --prefill-workers; without those, use --workers.");
  const some = (role: WorkerRole, count: number, prefix: string) =>
    Array.from({ length: count }, (_, index) => ({ name: `${prefix}-${index}`, role, engine }));
  return [
    ...some("aggregated", aggregated, engine),
    ...some("prefill", prefill, `${engine}-prefill`),
    ...some("decode", decode, `${engine}-decode`),
    ...some("encode", options["encode-workers"], `${engine}-encode`),
    ...(options.ocr === undefined ? [] : [{ name: "ocr-0", role: "encode" as const, engine: "ocr" }]),
  ];
}
