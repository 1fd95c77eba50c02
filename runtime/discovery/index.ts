export { followKeys, type KeyListener } from "./follow-keys.ts";
export { openMemoryDiscovery } from "./memory.ts";
export { measureDiscovery } from "./reachability.ts";
export {
  type Discovery,
  DiscoveryError,
  type DiscoveryErrorCode,
  type DiscoveryEvent,
  type DiscoveryOptions,
  defaultTtlMs,
  type JsonValue,
  type Lease,
  type LeaseOptions,
  type StoreState,
  type Watch,
} from "./types.ts";
