/**
 * The messages that processes of different versions exchange, generated from `stator/v1/*.proto`; use them with
 * `create`, `toBinary`, `fromBinary`, `toJson` and `fromJson` of `@bufbuild/protobuf`. See "Messages" in
 * runtime/README.md.
 */
export * from "./gen/stator/v1/discovery_pb.ts";
export * from "./gen/stator/v1/drain_pb.ts";
export * from "./gen/stator/v1/embed_pb.ts";
export * from "./gen/stator/v1/encode_pb.ts";
export * from "./gen/stator/v1/generate_pb.ts";
export * from "./gen/stator/v1/kv_events_pb.ts";
export * from "./gen/stator/v1/load_pb.ts";
export * from "./gen/stator/v1/lora_pb.ts";
export * from "./gen/stator/v1/role_pb.ts";
export * from "./gen/stator/v1/service_pb.ts";
export * from "./gen/stator/v1/tokenize_pb.ts";
export * from "./gen/stator/v1/transcribe_pb.ts";
export * from "./gen/stator/v1/warm_start_pb.ts";
