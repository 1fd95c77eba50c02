import type { UpOptions } from "../options/tables.ts";
import type { ClusterServers } from "./cluster.ts";

type Options = Pick<UpOptions, "engine" | "model" | "model-name" | "events" | "kv-events-key" | "lora">;

/**
 * The command, for a shell in the checkout, with which another worker joins the cluster of a `stator up --cluster`. It
 * serves the same model, and its KV events take the same way, as private as the others'.
 */
export function joinCommand(
  options: Options,
  { discovery, nats }: Pick<ClusterServers, "discovery" | "nats">,
): string {
  const { engine, model, events, "model-name": modelName, "kv-events-key": key } = options;
  const words = ["worker", engine, "--discovery", discovery];
  if (model !== undefined) words.push("--model", model);
  if (modelName !== undefined) words.push("--model-name", modelName);
  for (const [name, path] of options.lora) words.push("--lora", `${name}=${path}`);
  if (key !== undefined) words.push("--private-kv-events", "--kv-events-key", key);
  if (events !== "workers") words.push("--events", events === "nats:" ? nats : events);
  return `npm run stator -- ${words.map(quoted).join(" ")}`;
}

/** A word as a shell takes it. */
const quoted = (word: string) =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
