/** The gateway's public face. */

export type { ApiKey } from "./access/api-key.ts";
export { type KeyEntry, KeyFileError, readKeyFile } from "./access/key-file.ts";
export { formatHash, hashKey, newKey, newSalt, parseHash } from "./access/key-hash.ts";
export { AccessError, parseKeys } from "./access/parse-keys.ts";
export type { ListeningGateway, ListeningOptions } from "./adapters/listening.ts";
export { type AcceptorListening, startNodeAcceptor } from "./adapters/node/acceptor.ts";
export { diagnoseEngines, type NodeDoctorOptions } from "./adapters/node/doctor.ts";
export { IpcChannel } from "./adapters/node/ipc-channel.ts";
export { startGateway } from "./adapters/start.ts";
export { createWorkerdHandler, type WorkerdOptions } from "./adapters/workerd/index.ts";
export type { GatewayDependencies } from "./api/dependencies.ts";
export { createApp } from "./compose/app.ts";
export type { Check, Diagnosis, EngineDiagnosis } from "./doctor/types.ts";
export { type OpenEventStream, openWebEventStream } from "./kernel/event-stream.ts";
export { Warnings } from "./kernel/warnings.ts";
export type { EngineReport } from "./models/engine-report.ts";
export type { EngineSpec, HealthOptions } from "./models/members/engine-spec.ts";
export { parseAddress } from "./models/members/engine-url.ts";
export type { ModelNames } from "./models/models.ts";
export { EngineGroup } from "./models/sources/engine-group.ts";
export type { AcceptorChannel } from "./remote/messages.ts";
export type { RequestOptions } from "./requests/options.ts";
export type { RoutingOptions } from "./routing/options.ts";
export { POLICIES, POLICY_NAMES, type PolicyName } from "./routing/policies/policies.ts";
