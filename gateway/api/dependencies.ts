import type { Logger, Warnings } from "#runtime";
import type { Access } from "../access/guard.ts";
import type { Diagnosis } from "../doctor/types.ts";
import type { OpenEventStream } from "../kernel/event-stream.ts";
import type { GatewayMetrics } from "../kernel/metrics.ts";
import type { Model } from "../models/model.ts";
import type { Models } from "../models/models.ts";
import type { AttachedEngines } from "../models/sources/attached-engines.ts";
import type { DiscoveredWorkers } from "../models/sources/discovered-workers.ts";
import type { Stoppable } from "../requests/life.ts";
import type { RequestOptions } from "../requests/options.ts";
import type { HttpTransport } from "../wire/types.ts";
import type { PreferenceDefaults } from "./openai/preferences.ts";
import type { RescueOptions } from "./rescue/options.ts";
import type { ResponseStore } from "./responses/store.ts";
import type { TranslateWhen } from "./translation/when.ts";

/** What the API routes need; each runtime's adapter puts it together. */
export interface GatewayDependencies {
  models: Models<Model>;
  /** Whether engines are attached, ready or not: requests that the gateway cannot answer may be forwarded to them. */
  hasEngines(): boolean;
  /** To attached engines. */
  transport: HttpTransport;
  requestOptions: RequestOptions;
  metrics: GatewayMetrics;
  log: Logger;
  /** Rate-limited warnings, for conditions that may affect many requests at once. */
  warnings: Warnings;
  openEventStream: OpenEventStream;
  /** The gateway's own entry in the `via` header. */
  via: string;
  /** All requests in flight. */
  running: Set<Stoppable>;
  access: Access;
  /** Largest request body in bytes. */
  bodyLimit: number;
  preferenceDefaults: PreferenceDefaults;
  /** What is looked for in the text of engines' answers. */
  rescue: RescueOptions;
  /** When requests of other APIs are translated to chat completions for engines. */
  translate: TranslateWhen;
  /** Whether engines get prompts without what changes with each request and means nothing to them. */
  stabilisesPrefix: boolean;
  /** Where responses of the Responses API are kept. */
  responses: ResponseStore;
}

/** What the operations and admin routes need. */
export interface OpsDependencies extends GatewayDependencies {
  models: Models;
  engines: AttachedEngines;
  workers: DiscoveredWorkers;
  /** While draining, the gateway reports that it is not ready. */
  readonly state: { isDraining: boolean };
  /** Whether `/admin/workers` can neither attach nor detach engines. */
  hasFixedEngines: boolean;
  /** Examines the attached engines. @param waitMs timeout of each step, in milliseconds */
  diagnose(waitMs: number): Promise<Diagnosis>;
}
