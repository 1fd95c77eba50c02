import { invalidRequest } from "../../kernel/errors.ts";
import type { EngineSpec } from "./engine-spec.ts";

/**
 * Validates an engine's description and normalizes its address.
 * @throws ApiError 400 for an invalid address, key or KV events endpoint; the message contains no key
 */
export function checkedSpec(spec: EngineSpec): EngineSpec {
  const url = engineUrl(spec.url);
  if (spec.apiKey !== undefined && !/^[\x21-\x7e]+$/.test(spec.apiKey))
    throw invalidRequest(
      `The key for the engine at ${url} contains a space, a line break or a non-ASCII character, which a header cannot carry. Check --engine-key, or api-key in YAML.`,
      "api_key",
    );
  const { endpoint, replayEndpoint } = spec.kvEvents ?? {};
  for (const place of [endpoint, replayEndpoint])
    if (place !== undefined && !/^tcp:\/\/\S+:\d+$/.test(place))
      throw invalidRequest(
        `'${place.slice(0, 200)}' is not a KV events endpoint, which looks like tcp://*:5557 (--kv-events, --kv-events-replay).`,
        "kv_events",
      );
  return { ...spec, url };
}

/**
 * Normalizes an engine's base address, given with or without scheme and `/v1`.
 * @throws ApiError 400 for an invalid address
 */
export function engineUrl(text: string): string {
  const url = parseHttpUrl(text);
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
      `The address of the engine at ${url.host} contains a user name or password, which engines do not accept. Give its key with --engine-key, or api-key in YAML.`,
      "url",
    );
  // Users copy the address, with the API's path, from their clients.
  const path = url.pathname.replace(/\/+$/, "").replace(/\/v1$/, "");
  return `${url.origin}${path}`;
}

/** Parses an address, with `http://` as the default scheme. Undefined if it is not one. */
export const parseHttpUrl = (text: string): URL | undefined =>
  URL.parse(/^[a-z]+:\/\//i.test(text) ? text : `http://${text}`) ?? undefined;

const badUrl = (text: string) =>
  invalidRequest(
    `'${text.slice(0, 200).replace(/\/\/[^/]*@/, "//…@")}' is not the address of an engine, which looks like http://HOST:PORT.`,
    "url",
  );
