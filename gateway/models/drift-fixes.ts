import type { EngineProfile } from "../engines/types.ts";
import type { RoutedWorker } from "../routing/workers.ts";
import type { EngineConnection } from "./members/engine-connection.ts";

/** The flag of an attached engine or of the gateway that fixes each problem; otherwise, points to the doctor. */
export function driftFixes(
  { spec, sources, adapter }: Pick<EngineConnection, "spec" | "sources" | "adapter">,
  { limitations }: Pick<EngineProfile, "limitations">,
): NonNullable<RoutedWorker["fixes"]> {
  const flagOf = (code: string) => limitations.find((limitation) => limitation.code === code)?.flag;
  const places = sources.flatMap((source) => (source.kind === "zmq" ? [source.endpoint] : []));
  const doctor = `run: stator doctor ${spec.url}`;
  const prefixFlags = [flagOf("prefix-caching"), adapter?.cachedTokensFlag].filter(
    (flag) => flag !== undefined,
  );
  return {
    "events-missing": places.length > 0 ? `make ${places.join(", ")} reachable from here; ${doctor}` : doctor,
    "block-size": `start all engines of a model with the same block size; ${doctor}`,
    "never-matches": `give the model's own tokenizer and chat template: --tokenizer DIR; ${doctor}`,
    "removals-lost": flagOf("replay") ?? doctor,
    "no-prefix-cache": prefixFlags.length > 0 ? prefixFlags.join(" ") : doctor,
  };
}
