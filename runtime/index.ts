/** The distributed runtime's public face: other rooms import from here only. */

export * from "./discovery/index.ts";
export { endProcess } from "./end-process.ts";
export * from "./generate/index.ts";
export { isId, randomId, requestId } from "./ids.ts";
export * from "./kv-events/index.ts";
export { type Lifecycle, type LifecycleOptions, manageLifecycle, type ShutdownStep } from "./lifecycle.ts";
export {
  createLogger,
  type LogFields,
  type LogFormat,
  type Logger,
  type LoggerOptions,
  type LogLevel,
  logLevels,
} from "./log.ts";
export {
  type Counter,
  createMetrics,
  type Gauge,
  type Histogram,
  itlBuckets,
  type Metrics,
  type MetricsOptions,
  type MetricsSnapshot,
  mergeMetrics,
  type Registry,
  ttftBuckets,
} from "./metrics.ts";
export {
  type CardFault,
  cardFault,
  type Instance,
  instanceSchema,
  type ModelCard,
  modelCardSchema,
} from "./model-card.ts";
export { nearest } from "./nearest.ts";
export { type OpsOptions, type OpsServer, serveOps } from "./ops-server.ts";
export { type Random, seededRandom } from "./random.ts";
export * from "./request-plane/index.ts";
export { decodeByteLevel, decodeSentencePiece } from "./token-bytes.ts";
