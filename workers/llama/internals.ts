// What node-llama-cpp (3.22) does not make public.

/** A property of something of an unknown form. */
export const member = (owner: unknown, name: string): unknown => Reflect.get(Object(owner), name);

/** Calls a method of something of an unknown form. @throws Error with the sentence if it has none */
export function callMember(
  owner: unknown,
  name: string,
  values: readonly unknown[],
  missing: string,
): unknown {
  const method = member(owner, name);
  if (typeof method !== "function") throw new Error(missing);
  return Reflect.apply(method, owner, values);
}
