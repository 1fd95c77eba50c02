import type { Logger } from "#runtime";
import type { PreferenceDefaults } from "./api/openai/preferences.ts";
import type { OpenEventStream } from "./event-stream.ts";
import type { GatewayMetrics } from "./metrics.ts";
import type { ServedModels } from "./pipeline/serving/served-models.ts";
import type { Warnings } from "./warnings.ts";

/** What the routes need; the adapter of each runtime brings it together. */
export interface GatewayDependencies {
  models: ServedModels;
  metrics: GatewayMetrics;
  log: Logger;
  /** For what may happen to very many requests at once. */
  warnings: Warnings;
  openEventStream: OpenEventStream;
  /** Largest request body in bytes. */
  bodyLimit: number;
  /** Longest time from dispatch to the last token, in milliseconds. */
  timeoutMs: number;
  preferenceDefaults: PreferenceDefaults;
}
