import type { Logger } from "#runtime";
import type { ByteTools } from "../media/byte-tools.ts";
import type { OpenUrl } from "../media/fetch.ts";
import { type MediaOptions, mediaRules } from "../media/options.ts";
import type { ApiKey } from "./api-key.ts";
import type { Access, HostPolicy } from "./guard.ts";
import { Inflight } from "./inflight.ts";
import { Isolation, type IsolationOptions } from "./isolation.ts";
import { KeyRing } from "./key-ring.ts";
import { AccessError } from "./parse-keys.ts";
import { openKeyRing, type ReadTextFile } from "./watched-keys.ts";

export interface AccessOptions {
  /** The key file; without it and without `keys`, no key is required. */
  readonly keysFile?: string | undefined;
  /** The keys themselves, on runtimes without files. */
  readonly keys?: readonly ApiKey[] | undefined;
  /** Most requests in flight. Default: unlimited. */
  readonly maxInflight?: number | undefined;
  /** Origins whose pages may read answers. Default: none. */
  readonly cors?: readonly string[] | undefined;
  /** What media clients may send. */
  readonly media?: MediaOptions | undefined;
  /** The Host headers that a gateway without keys accepts. Default `any`. */
  readonly hosts?: HostPolicy | undefined;
  /** Whether unknown paths are forwarded to engines. Default false. */
  readonly passesAll?: boolean | undefined;
  /** Whose cached KV is kept apart; needs keys. Default: all requests share it. */
  readonly isolation?: IsolationOptions | undefined;
}

/** What a runtime provides for access control, if it can. */
export interface AccessPlatform {
  readonly readTextFile: ReadTextFile | undefined;
  readonly byteTools: ByteTools;
  readonly openUrl: OpenUrl;
}

export interface OpenedAccess {
  readonly access: Access;
  close(): void;
}

/** @throws AccessError for an unusable key file */
export async function openAccess(
  { keysFile, keys, maxInflight, cors, media, hosts, passesAll, isolation }: AccessOptions,
  { readTextFile, byteTools, openUrl }: AccessPlatform,
  log: Logger,
): Promise<OpenedAccess> {
  if (keysFile !== undefined && readTextFile === undefined)
    throw new AccessError("--keys needs a file system, and this runtime has none.");
  if (isolation !== undefined && keysFile === undefined && keys === undefined)
    throw new AccessError("--isolate needs --keys: it keeps the caches of keys apart.");
  const watched =
    keysFile === undefined || readTextFile === undefined
      ? undefined
      : await openKeyRing(keysFile, readTextFile, log);
  return {
    access: {
      keys: watched?.ring ?? (keys && new KeyRing(keys)),
      inflight: new Inflight(maxInflight ?? Number.POSITIVE_INFINITY),
      cors: cors ?? [],
      media: mediaRules(media ?? {}, byteTools, openUrl),
      hosts: hosts ?? "any",
      passesAll: passesAll ?? false,
      isolation: isolation && new Isolation(isolation),
    },
    close: () => watched?.close(),
  };
}
