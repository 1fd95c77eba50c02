import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { LoadLoraAdapterRequestSchema, UnloadLoraAdapterRequestSchema } from "#proto";
import { PlaneError } from "./request-plane/types.ts";

/** The endpoints by which a worker is asked to load or unload a LoRA adapter. They end once discovery knows. */
export const loadLoraEndpoint = "load_lora_adapter";
export const unloadLoraEndpoint = "unload_lora_adapter";

/** A LoRA adapter to load. */
export interface LoraSource {
  /** The name by which requests ask for it. */
  readonly name: string;
  /** Path of its file on the worker's machine. */
  readonly path: string;
  /** Whether it replaces an adapter of the same name. */
  readonly inPlace: boolean;
}

/** Encodes the payload of a call to the first: the protobuf message `stator.v1.LoadLoraAdapterRequest`. */
export const encodeLoadLoraRequest = ({ name, path, inPlace }: LoraSource): Uint8Array =>
  toBinary(
    LoadLoraAdapterRequestSchema,
    create(LoadLoraAdapterRequestSchema, { loraName: name, loraPath: path, loadInplace: inPlace }),
  );

/** Decodes the output of `encodeLoadLoraRequest`. @throws PlaneError `invalid_request` if it is something else */
export function decodeLoadLoraRequest(payload: Uint8Array): LoraSource {
  const { loraName, loraPath, loadInplace } = decoded(LoadLoraAdapterRequestSchema, payload);
  if (loraName === "" || loraPath === "")
    throw new PlaneError("invalid_request", "An adapter to load needs a name and a path.");
  return { name: loraName, path: loraPath, inPlace: loadInplace };
}

/** Encodes the payload of a call to the second: the protobuf message `stator.v1.UnloadLoraAdapterRequest`. */
export const encodeUnloadLoraRequest = (name: string): Uint8Array =>
  toBinary(UnloadLoraAdapterRequestSchema, create(UnloadLoraAdapterRequestSchema, { loraName: name }));

/** Decodes the output of `encodeUnloadLoraRequest`. @throws PlaneError `invalid_request` if it is something else */
export const decodeUnloadLoraRequest = (payload: Uint8Array): string =>
  decoded(UnloadLoraAdapterRequestSchema, payload).loraName;

function decoded<Schema extends Parameters<typeof fromBinary>[0]>(schema: Schema, payload: Uint8Array) {
  try {
    return fromBinary<Schema>(schema, payload);
  } catch (cause) {
    throw new PlaneError("invalid_request", "The LoRA request is not a valid protobuf message.", { cause });
  }
}
