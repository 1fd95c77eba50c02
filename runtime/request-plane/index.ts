export {
  type CallOptions,
  type ClientCall,
  type ConnectOptions,
  type Handler,
  PlaneError,
  type PlaneErrorCode,
  type Receiver,
  type RequestPlaneClient,
  type RequestPlaneServer,
  type ServeOptions,
  type ServerCall,
} from "./types.ts";
