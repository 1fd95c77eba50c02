import type { Logger } from "#runtime";
import type { Access } from "../access/guard.ts";
import type { Diagnosis } from "../doctor/types.ts";
import type { OpenEventStream } from "../kernel/event-stream.ts";
import type { GatewayMetrics } from "../kernel/metrics.ts";
import type { Warnings } from "../kernel/warnings.ts";
import type { Model } from "../models/model.ts";
import type { Models } from "../models/models.ts";
import type { AttachedEngines } from "../models/sources/attached-engines.ts";
import type { RefusedWorker } from "../models/sources/catalog.ts";
import type { RequestOptions } from "../requests/options.ts";
import type { HttpTransport } from "../wire/types.ts";
import type { PreferenceDefaults } from "./openai/preferences.ts";

/** What can be ended before its time. */
export interface Stoppable {
  stop(error: Error): void;
}

/** What the routes of the API need; the adapter of each runtime brings it together. */
export interface GatewayDependencies {
  models: Models<Model>;
  /** Whether engines are attached, ready or not: what the gateway does not know itself may pass to them. */
  hasEngines(): boolean;
  /** To attached engines. */
  transport: HttpTransport;
  requestOptions: RequestOptions;
  metrics: GatewayMetrics;
  log: Logger;
  /** For what may happen to very many requests at once. */
  warnings: Warnings;
  openEventStream: OpenEventStream;
  /** The gateway's own part of the header `via`. */
  via: string;
  /** Requests to engines that have not ended. */
  running: Set<Stoppable>;
  access: Access;
  /** Largest request body in bytes. */
  bodyLimit: number;
  preferenceDefaults: PreferenceDefaults;
}

/** What the routes need that tell of the gateway, and run it. */
export interface OpsDependencies extends GatewayDependencies {
  models: Models;
  engines: AttachedEngines;
  /** Workers that have come, and whose model cards are wrong. */
  refusedWorkers(): readonly RefusedWorker[];
  /** Whether the gateway is about to stop: it is not ready then for more. */
  readonly state: { isDraining: boolean };
  /** Whether `/admin/workers` can neither attach nor detach engines. */
  hasFixedEngines: boolean;
  /** Examines the attached engines. @param waitMs longest wait for one thing, in milliseconds */
  diagnose(waitMs: number): Promise<Diagnosis>;
}
