/** A file that says who may come in cannot be used; the message says which, why, and what to do. */
export class AccessError extends Error {
  override name = "AccessError";
}
