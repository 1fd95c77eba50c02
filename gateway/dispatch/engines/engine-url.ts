import { invalidRequest } from "../../errors.ts";

/**
 * An engine's base address as people give it, with or without scheme and `/v1`.
 * @throws ApiError 400 for what is none
 */
export function engineUrl(text: string): string {
  let url: URL;
  try {
    url = new URL(/^[a-z]+:\/\//i.test(text) ? text : `http://${text}`);
  } catch {
    throw badUrl(text);
  }
  if (!/^https?:$/.test(url.protocol) || url.hostname === "" || url.search !== "" || url.hash !== "")
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

const badUrl = (text: string) =>
  invalidRequest(
    `'${text.slice(0, 200).replace(/\/\/[^/]*@/, "//…@")}' is not the address of an engine; it looks like http://HOST:PORT.`,
    "url",
  );
