/** The distributed runtime's public exports that need files, sockets or processes. */

export { type ClusterAccess, ClusterAccessError, findClusterAccess } from "./discovery/kubernetes/access.ts";
export {
  followKubernetes,
  type KubernetesFollower,
  type KubernetesSource,
} from "./discovery/kubernetes/follow.ts";
export { findsGateways, findsNoPodWorkers, isKubernetes } from "./discovery/kubernetes/place.ts";
export { openDiscovery } from "./discovery/open.ts";
export { endProcess } from "./end-process.ts";
export { acceptsConnections, freePort, freePorts } from "./free-ports.ts";
export { NatsKvEventPublisher } from "./kv-events/nats/publisher.ts";
export { NatsKvEvents, type NatsKvEventsOptions, type StreamReport } from "./kv-events/nats/stream.ts";
export { ZmqKvEventPublisher, type ZmqPublisherOptions } from "./kv-events/zmq/publisher.ts";
export { ZmqKvEventSubscriber } from "./kv-events/zmq/subscriber.ts";
export { type Lifecycle, type LifecycleOptions, manageLifecycle, type ShutdownStep } from "./lifecycle.ts";
export { anyAddress } from "./local-address.ts";
export { examineNats, type NatsExamination } from "./nats/examine.ts";
export type { LogReader } from "./nats/log-reader.ts";
export { NatsLogs } from "./nats/logs.ts";
export { type OpsOptions, type OpsServer, serveOps } from "./ops-server.ts";
export {
  natsServers,
  openPlanePlace,
  type PlanePlace,
  type PlanePlaceOptions,
} from "./plane-place.ts";
export { connect } from "./request-plane/client.ts";
export { serve } from "./request-plane/server.ts";
export { readClientTls } from "./request-plane/tls.ts";
export { decodeStatus, type ProcessStatus, statusEndpoint } from "./status.ts";
export { watchFiles } from "./watch-files.ts";
