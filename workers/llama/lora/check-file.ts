import { readGgufFileInfo } from "node-llama-cpp";
import { messageOf, PlaneError } from "#runtime";

/**
 * Checks by its metadata that a file is a LoRA adapter for models of this architecture.
 * @throws PlaneError `invalid_request` if it is not
 */
export async function checkLoraFile(path: string, architecture: string): Promise<void> {
  const { general, adapter } = await readMetadata(path);
  if (adapter?.type !== "lora") throw refused(`${path} is not a LoRA adapter.`);
  if (general.architecture !== architecture)
    throw refused(
      `The LoRA adapter ${path} is for models of the architecture '${general.architecture}', but this one is of '${architecture}'.`,
    );
}

interface Metadata {
  readonly general: { readonly architecture: string };
  readonly adapter?: { readonly type?: unknown };
}

async function readMetadata(path: string): Promise<Metadata> {
  try {
    const { metadata } = await readGgufFileInfo(path, { sourceType: "filesystem" });
    return metadata as Metadata;
  } catch (cause) {
    const code: unknown = Reflect.get(Object(cause), "code");
    if (code === "ENOENT") throw refused(`There is no LoRA adapter at ${path}.`, cause);
    if (code === "EISDIR") throw refused(`${path} is a folder, not a GGUF file. ${ADVICE}`, cause);
    throw refused(`${path} is not a GGUF file: ${messageOf(cause).replace(/\.$/, "")}. ${ADVICE}`, cause);
  }
}

const ADVICE = "Adapters in PEFT's format become one with llama.cpp's convert_lora_to_gguf.py.";

/** The error for a file that cannot be used. */
export const refused = (message: string, cause?: unknown) =>
  new PlaneError("invalid_request", message, { cause });
