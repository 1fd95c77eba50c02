import type { DividableRequest, Division } from "../../engines/disaggregation/types.ts";
import { ENCODER_FIELD, TRANSFER_FIELDS } from "../../engines/disaggregation/types.ts";
import { withFields } from "../../kernel/json-fields.ts";
import type { EngineMember } from "../../models/members/engine-member.ts";
import type { Assignment } from "../../routing/plan.ts";
import type { HttpHeader, HttpRequest } from "../../wire/types.ts";
import type { WireJob } from "./job.ts";

/** The request to an engine. @param options.mayReuse see `HttpRequest` */
export function engineRequest(
  { method, path, headers, isRepeatable, media }: WireJob,
  assignment: Assignment<EngineMember>,
  { body, mayReuse }: { body: Uint8Array | undefined; mayReuse: boolean },
): HttpRequest {
  const { engine } = assignment.worker;
  const own = ownHeaders(assignment);
  return {
    origin: engine.origin,
    method,
    path: engine.basePath + path,
    headers: [...headers.filter(([name]) => !own.some(([each]) => each === name)), ...own],
    body: body && media !== undefined ? media.restore(body) : body,
    mayReuse: mayReuse && isRepeatable,
  };
}

/** A body with fields of one of an engine's parts in a divided request. */
export function dividedBody(body: Uint8Array, fields: Division["prefillFields"]): Uint8Array {
  // Those of encode engines are the gateway's own: a client's are removed at once.
  const removed = new Set([...TRANSFER_FIELDS, ...Object.keys(fields)]);
  removed.delete(ENCODER_FIELD);
  const added = Object.entries(fields).filter(([, value]) => value !== undefined);
  return withFields(body, removed, Object.fromEntries(added));
}

/** The request as engines divide it. @param body the bytes that would be sent; undefined if they are the client's */
export function dividableRequest(
  { path, json }: WireJob,
  body: Uint8Array | undefined,
): DividableRequest | undefined {
  if (json === undefined) return undefined;
  const parsed: unknown = body === undefined ? json : JSON.parse(new TextDecoder().decode(body));
  return { path: path.replace(/\?.*$/, ""), body: parsed as DividableRequest["body"] };
}

/** Headers that override the client's: the engine's key and the chosen rank. */
function ownHeaders({ worker, rank }: Assignment<EngineMember>): HttpHeader[] {
  const { apiKey } = worker.engine.spec;
  return [
    ...(worker.instance.card.dataParallelSize > 1 ? [["x-data-parallel-rank", String(rank)] as const] : []),
    ...(apiKey === undefined ? [] : [["authorization", `Bearer ${apiKey}`] as const]),
  ];
}
