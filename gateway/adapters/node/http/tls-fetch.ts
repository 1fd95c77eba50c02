import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { Readable } from "node:stream";
import type { EngineTls } from "../access/tls-files.ts";

/** As much of `fetch` as small requests to engines need, with certificates of one's own, which `fetch` has no place for. */
export function createTlsFetch(tls: EngineTls): typeof fetch {
  return (input, init) =>
    new Promise((resolve, reject) => {
      const { url, method, headers, signal } = new Request(input, init);
      const send = url.startsWith("https:") ? requestHttps : requestHttp;
      const options = { method, headers: Object.fromEntries(headers), signal, ...tls };
      const request = send(url, options, (answer) => {
        const status = answer.statusCode ?? 502;
        const hasBody = status !== 204 && status !== 304;
        // Node's type of a web stream is not the one of `Response`, though the two are the same.
        const body = hasBody ? (Readable.toWeb(answer) as ReadableStream<Uint8Array>) : null;
        resolve(new Response(body, { status }));
      });
      request.once("error", reject);
      request.end(typeof init?.body === "string" ? init.body : undefined);
    });
}
