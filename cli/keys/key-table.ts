import type { ApiKey } from "#gateway";
import { textTable } from "../text-table.ts";

const HEAD = ["id", "models", "requests/min", "tokens/min", "expires", "group", "admin"];

/** A key file's keys as a table, without their hashes. */
export function keyTable(keys: readonly ApiKey[], now: number): string {
  return textTable([HEAD, ...keys.map((key) => rowOf(key, now))]);
}

function rowOf(key: ApiKey, now: number): string[] {
  const { id, models, requestsPerMinute, tokensPerMinute, expiresAt, group, isAdmin } = key;
  return [
    id,
    models?.join(", ") ?? "all",
    requestsPerMinute?.toLocaleString("en") ?? "any",
    tokensPerMinute?.toLocaleString("en") ?? "any",
    expiresAt === undefined ? "never" : expiryOf(expiresAt, now),
    group ?? "-",
    isAdmin ? "yes" : "no",
  ];
}

const expiryOf = (expiresAt: number, now: number) =>
  `${new Date(expiresAt).toISOString().slice(0, 16)}Z${expiresAt <= now ? " (expired)" : ""}`;
