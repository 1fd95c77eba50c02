/** The distributed runtime's public exports that need only web standards; `#runtime/node` has the rest. */

export { appendBytes } from "./append-bytes.ts";
export * from "./discovery/index.ts";
export { discoveryValue } from "./discovery-value.ts";
export { decodeDrainRequest, drainEndpoint, encodeDrainRequest } from "./drain.ts";
export * from "./generate/index.ts";
export { randomId, requestId } from "./ids.ts";
export { InstanceAnnouncer, instanceEndpoint } from "./instance-endpoint.ts";
export * from "./kv-events/index.ts";
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
  decodeLoadLoraRequest,
  decodeUnloadLoraRequest,
  encodeLoadLoraRequest,
  encodeUnloadLoraRequest,
  type LoraSource,
  loadLoraEndpoint,
  unloadLoraEndpoint,
} from "./lora.ts";
export { messageOf } from "./message-of.ts";
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
  instanceValue,
  type ModelCard,
  modelCardSchema,
  textFormat,
} from "./model-card.ts";
export { nearest } from "./nearest.ts";
export { Outage, type OutageWords } from "./outage.ts";
export { type Random, seededRandom } from "./random.ts";
export * from "./request-plane/index.ts";
export {
  decodeRoleRequest,
  encodeRoleRequest,
  roleEndpoint,
  type WorkerRole,
  workerRoles,
} from "./role.ts";
export { decodeByteLevel, decodeSentencePiece } from "./token-bytes.ts";
export { isUnforgeableHost } from "./unforgeable-host.ts";
export { untilAborted } from "./until-aborted.ts";
export { version } from "./version.ts";
export { Warnings } from "./warnings.ts";
export { within } from "./within.ts";
