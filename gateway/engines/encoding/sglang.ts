import type { EngineProfile } from "../types.ts";
import { UNREPORTED } from "../unreported.ts";
import type { EncoderRegistry } from "./types.ts";

/**
 * SGLang's language engines (`--language-only`) ask their encoders (`--encoder-only`) themselves, and get the embeddings
 * from them. They have a list of encoders that can be changed while they run (`disaggregation/encoder_bootstrap_server.py`).
 */
export const sglangEncoderRegistry: EncoderRegistry = {
  register: (api, url) => api.postStatus(`/${REGISTER}`, { url }),
  unregister: (api, url) => api.deleteStatus("/unregister_encoder_url", { url }),
};

const REGISTER = "register_encoder_url";

/**
 * The address under which a language engine is told of encoders: its own in some versions, else a port of its own.
 * @returns undefined if it has no such list
 */
export function registryOf(
  url: string,
  paths: readonly string[] | undefined,
  port: number | undefined,
): string | undefined {
  if (paths?.includes(`/${REGISTER}`)) return url;
  if (port === undefined) return undefined;
  const { hostname } = new URL(url);
  return `http://${hostname}:${port}`;
}

/** Whether a server with these paths is an encoder, which has no chats and lists no models. */
export const isEncoder = (paths: readonly string[] | undefined): boolean =>
  paths !== undefined && ["/encode", "/scheduler_receive_url"].every((path) => paths.includes(path));

/** Of an encoder, which tells nothing but its paths. */
export const ENCODER_PROFILE: EngineProfile = {
  kind: "sglang",
  ...UNREPORTED,
  models: [],
  role: "encode",
  limitations: [
    {
      code: "role",
      what: "it is an encoder, and gets no requests from here: SGLang's language engines (--language-only) that are attached too are told its address, and ask it themselves",
      flag: undefined,
    },
  ],
};
