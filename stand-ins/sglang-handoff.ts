import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { type HandoffDialect, type KvExports, readKv } from "./core/kv-handoff.ts";
import { refuse } from "./core/refusal.ts";

const bodySchema = z.looseObject({
  bootstrap_host: z.string().nullish(),
  bootstrap_port: z.number().nullish(),
  bootstrap_room: z.number().nullish(),
});

/** How often the decode engine asks for a room that the prefill engine does not have yet, in milliseconds. */
const ASK_MS = 5;

/** SGLang's bootstrap rooms, over HTTP: the bootstrap server is the prefill engine's own. */
export function sglangHandoff(role: "prefill" | "decode", exports: KvExports): HandoffDialect {
  return {
    async begin(body, tokens, signal) {
      const {
        bootstrap_host: host,
        bootstrap_port: port,
        bootstrap_room,
      } = bodySchema.safeParse(body).data ?? {};
      if (host == null || port == null || bootstrap_room == null)
        return refuse(400, "Disaggregated request received without bootstrap room id.");
      const room = String(bootstrap_room);
      if (role === "prefill") {
        exports.hold(tokens, room);
        return { tokens, isReceived: false, beforeEnd: (ending) => exports.whenRead(room, ending) };
      }
      // The decode engine waits for the prefill engine, for as long as its client does.
      while (!signal.aborted) {
        const read = await readKv(`http://${host}:${port}`, room, signal);
        if (read !== undefined) return { tokens: read, isReceived: true };
        await sleep(ASK_MS);
      }
      return refuse(500, "KV transfer failed.");
    },
  };
}
