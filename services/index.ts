/** The distributed runtime for any program: services that register, and typed clients that find them. */
export { type Codec, protobuf, type Schema } from "./codec.ts";
export {
  type ConnectServiceOptions,
  connectService,
  type ServiceCallOptions,
  type ServiceClient,
} from "./connect-service.ts";
export {
  defineService,
  type Endpoint,
  type Endpoints,
  endpoint,
  type ServiceContext,
  type ServiceDefinition,
  type TypedEndpoint,
} from "./define-service.ts";
export { runService } from "./run-service.ts";
export { type ServedService, type ServeServiceOptions, serveService } from "./serve-service.ts";
