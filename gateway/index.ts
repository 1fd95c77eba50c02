/** The gateway's public face. */

export { AccessError } from "./access/access-error.ts";
export type { ApiKey } from "./access/api-key.ts";
export { type KeyEntry, KeyFileError, readKeyFile } from "./access/key-file.ts";
export { formatHash, hashKey, newKey, newSalt, parseHash } from "./access/key-hash.ts";
export { parseKeys } from "./access/parse-keys.ts";
export type { ListeningGateway, ListeningOptions } from "./adapters/listening.ts";
export { diagnoseEngines, type NodeDoctorOptions } from "./adapters/node/doctor.ts";
export { type FrontListening, startNodeFront } from "./adapters/node/front.ts";
export { IpcChannel } from "./adapters/node/ipc-channel.ts";
export { startGateway } from "./adapters/start.ts";
export { createWorkerdHandler, type WorkerdOptions } from "./adapters/workerd/index.ts";
export { createApp } from "./app.ts";
export type { GatewayDependencies } from "./dependencies.ts";
export type { EngineSpec, HealthOptions } from "./dispatch/engines/engine-spec.ts";
export { parseAddress } from "./dispatch/engines/engine-url.ts";
export type { Check, Diagnosis, EngineDiagnosis } from "./doctor/types.ts";
export { type OpenEventStream, openWebEventStream } from "./event-stream.ts";
export type { FrontChannel } from "./fronts/messages.ts";
export type { ForwardOptions } from "./pipeline/forward/job.ts";
export type { EngineReport } from "./pipeline/serving/engine-report.ts";
export type { ModelNames } from "./pipeline/serving/model-names.ts";
export type { RoutingOptions } from "./routing/options.ts";
export { Warnings } from "./warnings.ts";
