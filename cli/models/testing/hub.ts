import { createHash } from "node:crypto";
import { once } from "node:events";
import { readdir, stat } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

/** A local server that behaves like Hugging Face's and breaks like a network. */
export const content = Buffer.concat([Buffer.from("GGUF"), Buffer.alloc(300_000, "model")]);
export const sha256Of = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
export const sha256 = sha256Of(content);

/** The commit that the hub serves. */
export const COMMIT = "0123456789abcdef0123456789abcdef01234567";

export type Responder = (request: IncomingMessage, response: ServerResponse) => void;

interface FileOptions {
  body?: Buffer;
  etag?: string;
  headers?: Record<string, string>;
  /** Cuts the connection after this many bytes of an answer. */
  breakAfter?: () => number | undefined;
  /** The folder that the file is downloaded to: what is not on disk when the connection breaks is lost. */
  folder?: string;
}

/** Serves the file with ranges, as HTTP asks for it. */
export function serveFile(options: FileOptions): Responder {
  const { body = content, etag = '"v1"', headers = {}, breakAfter = () => undefined, folder = "" } = options;
  return (request, response) => {
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const isRange = start > 0 && (request.headers["if-range"] ?? etag) === etag;
    const part = isRange ? body.subarray(start) : body;
    response.writeHead(isRange ? 206 : 200, { etag, "content-length": part.length, ...headers });
    if (request.method === "HEAD") return void response.end();
    const limit = breakAfter();
    if (limit === undefined) return void response.end(part);
    response.write(part.subarray(0, limit));
    return void untilOnDisk(folder, start + limit).then(() => response.destroy());
  };
}

/** Serves the file as the hub does: the first answer has checksum, size and commit, and redirects to the bytes. */
export function serveFromHub(
  options: FileOptions & { checksum?: string; size?: number; status?: (path: string) => number } = {},
): Responder {
  const { body = content, checksum = sha256Of(body), size = body.length, status = () => 302 } = options;
  const serve = serveFile({ etag: '"blob"', ...options });
  return (request, response) => {
    if (request.url === "/blob") return serve(request, response);
    response.writeHead(status(request.url!), {
      location: "/blob",
      "x-linked-etag": `"${checksum}"`,
      "x-linked-size": String(size),
      "x-repo-commit": COMMIT,
    });
    return void response.end();
  };
}

/** Waits until this much of a download is on disk. */
export async function untilOnDisk(folder: string, size: number): Promise<void> {
  for (;;) {
    const partial = (await readdir(folder)).find((name) => name.endsWith(".partial"));
    if (partial !== undefined && (await stat(join(folder, partial))).size >= size) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export interface HubStandIn {
  readonly url: string;
  readonly requests: { method: string; path: string; range: string | undefined }[];
  /** How it answers; assign to change it. */
  respond: Responder;
  close(): Promise<void>;
}

/** Starts the server, and sets HF_ENDPOINT to it until it closes. */
export async function startHub(respond: Responder): Promise<HubStandIn> {
  const requests: HubStandIn["requests"] = [];
  const server = createServer((request, response) => {
    requests.push({ method: request.method!, path: request.url!, range: request.headers.range });
    hub.respond(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  process.env.HF_ENDPOINT = url;
  const hub: HubStandIn = {
    url,
    requests,
    respond,
    async close() {
      delete process.env.HF_ENDPOINT;
      server.closeAllConnections();
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    },
  };
  return hub;
}
