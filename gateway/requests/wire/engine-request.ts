import type { EngineMember } from "../../models/members/engine-member.ts";
import type { Route } from "../../routing/route.ts";
import type { HttpHeader, HttpRequest } from "../../wire/types.ts";
import type { WireJob } from "./job.ts";

/** The request to an engine. @param options.continuedBody replaces the client's body if an answer is continued */
export function engineRequest(
  { method, path, headers, body, isRepeatable }: WireJob,
  route: Route<EngineMember>,
  { continuedBody, mayReuse }: { continuedBody: Uint8Array | undefined; mayReuse: boolean },
): HttpRequest {
  const { engine } = route.worker;
  const own = ownHeaders(route);
  return {
    origin: engine.origin,
    method,
    path: engine.basePath + path,
    headers: [...headers.filter(([name]) => !own.some(([each]) => each === name)), ...own],
    body: continuedBody ?? body,
    mayReuse: mayReuse && isRepeatable,
  };
}

/** Headers that override the client's: the engine's key and the chosen rank. */
function ownHeaders({ worker, rank }: Route<EngineMember>): HttpHeader[] {
  const { apiKey } = worker.engine.spec;
  return [
    ...(worker.instance.card.dataParallelSize > 1 ? [["x-data-parallel-rank", String(rank)] as const] : []),
    ...(apiKey === undefined ? [] : [["authorization", `Bearer ${apiKey}`] as const]),
  ];
}
