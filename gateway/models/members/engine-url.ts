import { invalidRequest } from "../../kernel/errors.ts";
import type { EngineSpec } from "./engine-spec.ts";

/**
 * An engine as people name it, with its base address.
 * @throws ApiError 400 for an address that is none, a key that no header can carry, and KV events that are nowhere; it
 * repeats no key
 */
export function checkedSpec(spec: EngineSpec): EngineSpec {
  const url = engineUrl(spec.url);
  if (spec.apiKey !== undefined && !/^[\x21-\x7e]+$/.test(spec.apiKey))
    throw invalidRequest(
      `The key for the engine at ${url} has a space, a line break or a letter beyond ASCII in it, which no header can carry. Look at --engine-key, or at api-key in YAML.`,
      "api_key",
    );
  const { endpoint, replayEndpoint } = spec.kvEvents ?? {};
  for (const place of [endpoint, replayEndpoint])
    if (place !== undefined && !/^tcp:\/\/\S+:\d+$/.test(place))
      throw invalidRequest(
        `KV events cannot be at '${place.slice(0, 200)}'; it looks like tcp://*:5557 (--kv-events, --kv-events-replay).`,
        "kv_events",
      );
  return { ...spec, url };
}

/**
 * An engine's base address as people give it, with or without scheme and `/v1`.
 * @throws ApiError 400 for what is none
 */
export function engineUrl(text: string): string {
  const url = parseAddress(text);
  if (
    url === undefined ||
    !/^https?:$/.test(url.protocol) ||
    url.hostname === "" ||
    url.search !== "" ||
    url.hash !== ""
  )
    throw badUrl(text);
  if (url.username !== "" || url.password !== "")
    throw invalidRequest(
      `The address of the engine at ${url.host} has a name or password in it, which engines do not take; give the key that it wants with --engine-key, or api-key in YAML.`,
      "url",
    );
  // People copy the address with the API's path from their clients.
  const path = url.pathname.replace(/\/+$/, "").replace(/\/v1$/, "");
  return `${url.origin}${path}`;
}

/** An address as people write it: `http://` where it has no scheme. Undefined for what is none. */
export const parseAddress = (text: string): URL | undefined =>
  URL.parse(/^[a-z]+:\/\//i.test(text) ? text : `http://${text}`) ?? undefined;

const badUrl = (text: string) =>
  invalidRequest(
    `'${text.slice(0, 200).replace(/\/\/[^/]*@/, "//…@")}' is not the address of an engine; it looks like http://HOST:PORT.`,
    "url",
  );
