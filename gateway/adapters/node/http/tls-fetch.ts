import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { Readable } from "node:stream";
import type { EngineTls } from "../access/tls-files.ts";

/** A minimal `fetch` for small requests to engines, with custom certificates, which Node's `fetch` lacks. */
export function createTlsFetch(tls: EngineTls): typeof fetch {
  return (input, init) =>
    new Promise((resolve, reject) => {
      const { url, method, headers, signal } = new Request(input, init);
      const send = url.startsWith("https:") ? requestHttps : requestHttp;
      const options = { method, headers: Object.fromEntries(headers), signal, ...tls };
      const request = send(url, options, (answer) => {
        const status = answer.statusCode ?? 502;
        const hasBody = status !== 204 && status !== 304;
        // Node's web stream type differs from that of `Response`, although they are the same at run time.
        const body = hasBody ? (Readable.toWeb(answer) as ReadableStream<Uint8Array>) : null;
        resolve(new Response(body, { status }));
      });
      request.once("error", reject);
      request.end(typeof init?.body === "string" ? init.body : undefined);
    });
}
