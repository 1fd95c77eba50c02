export { advertisedAddress, parseAddress } from "./address.ts";
export { Reconnector } from "./reconnector.ts";
export {
  type CallOptions,
  type ClientCall,
  type ClientTls,
  type ConnectOptions,
  type Handler,
  PlaneError,
  type PlaneErrorCode,
  type Receiver,
  type RequestPlaneClient,
  type RequestPlaneServer,
  type ServeOptions,
  type ServerCall,
  type ServerTls,
} from "./types.ts";
export { unaryCall } from "./unary-call.ts";
