import { nearest } from "#runtime";
import { crash } from "./crash.ts";
import { error } from "./error.ts";
import type { Fault, FaultContext, FaultKind } from "./fault.ts";
import { hang } from "./hang.ts";
import { kv } from "./kv.ts";
import { slow } from "./slow.ts";
import { wrongEvents } from "./wrong-events.ts";

/** The kinds of faults by name. */
const KINDS = { hang, crash, error, slow, "wrong-events": wrongEvents, kv };

/** A parsed fault. */
export interface FaultSpec {
  readonly kind: string;
  create(context: FaultContext): Fault;
}

/**
 * Parses a fault in the form `KIND[:NAME=VALUE]…`, such as `hang:rate=0.1:after-tokens=5`.
 * @throws RangeError that says what is invalid and what is allowed
 */
export function parseFault(text: string): FaultSpec {
  const [kind = "", ...parameters] = text.split(":");
  if (!Object.hasOwn(KINDS, kind)) {
    const names = Object.keys(KINDS);
    const suggestion = nearest(kind, names);
    const meant = suggestion === undefined ? "" : `; did you mean ${suggestion}?`;
    throw new RangeError(`the faults are ${names.join(", ")}${meant}`);
  }
  return specify(kind, KINDS[kind as keyof typeof KINDS] as FaultKind, parameters);
}

function specify(kind: string, definition: FaultKind, parameters: readonly string[]): FaultSpec {
  const names = Object.keys(definition.parameters.shape);
  const given = new Map<string, string>();
  for (const parameter of parameters) {
    const [name = "", value, ...more] = parameter.split("=");
    if (!names.includes(name)) throw new RangeError(`${kind} has no '${name}', only ${names.join(", ")}`);
    if (!value || more.length > 0) throw new RangeError(`${kind} needs ${name}=VALUE, not '${parameter}'`);
    if (given.has(name)) throw new RangeError(`${kind} has ${name} twice`);
    given.set(name, value);
  }
  const result = definition.parameters.safeParse(Object.fromEntries(given));
  if (result.success) return { kind, create: (context) => definition.create(result.data, context) };
  const issue = result.error.issues[0]!;
  const name = issue.path.join(".");
  if (name === "") throw new RangeError(`${kind}: ${issue.message}`);
  const value = given.get(name);
  throw new RangeError(
    value === undefined ? `${kind} needs ${name}=VALUE` : `${kind}: ${name} cannot be ${value}`,
  );
}
