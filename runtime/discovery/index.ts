export { openMemoryDiscovery } from "./memory.ts";
export {
  type Discovery,
  DiscoveryError,
  type DiscoveryErrorCode,
  type DiscoveryEvent,
  type JsonValue,
  type Lease,
  type LeaseOptions,
  type Watch,
} from "./types.ts";
