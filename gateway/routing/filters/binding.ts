import type { BoundTo } from "../../kernel/errors.ts";
import type { RoutePreferences } from "../preferences.ts";

/**
 * Which workers a request is bound to by what it says, for people; undefined where any worker of the model will do.
 * @param hasHome whether its session has a worker that it must go to
 */
export function bindingOf(
  { worker, tags }: Pick<RoutePreferences, "worker" | "tags">,
  hasHome = false,
): BoundTo | undefined {
  if (worker !== undefined) return { one: true, text: `the worker '${worker}', which it names` };
  if (hasHome) return { one: true, text: "the worker that its session is bound to" };
  if (tags.length > 0) return { one: false, text: `workers with the tags it names: ${tags.join(", ")}` };
  return undefined;
}
