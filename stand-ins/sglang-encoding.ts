import { z } from "zod";
import type { HandoffDialect } from "./core/kv-handoff.ts";
import { mediaIn } from "./core/media.ts";
import { messagesOf } from "./core/openai-request.ts";
import type { StandInWork } from "./core/options.ts";
import { refuse } from "./core/refusal.ts";
import type { StandInRoute } from "./core/server.ts";

const encodeSchema = z.looseObject({
  req_id: z.string(),
  mm_items: z.array(z.unknown()).min(1),
  modality: z.string(),
  num_parts: z.number(),
  part_idx: z.number(),
});

/** The routes of an encoder (`--encoder-only`), which has no others: it lists no models, and answers no chats. */
export const encoderRoutes = (onWork: (work: StandInWork) => void): Record<string, StandInRoute> => ({
  "GET /health": () => ({ text: "" }),
  "GET /health_generate": () => ({ text: "" }),
  "POST /encode": ({ body }) => {
    const read = encodeSchema.safeParse(body);
    if (!read.success) return { status: 400, json: { status: "error", message: read.error.message } };
    const { mm_items, modality } = read.data;
    onWork({ did: "encoded", media: mm_items.map(() => modality.toLowerCase()), promptTokens: 0 });
    return { json: null };
  },
  "POST /send": () => ({ json: null }),
  "POST /scheduler_receive_url": () => ({ json: null }),
  "POST /scheduler_receive_meta_data": () => ({ json: null }),
});

/** A language engine's encoders (`--language-only`), and how it is told of them. */
export class EncoderList {
  readonly urls = new Set<string>();
  #requests = 0;

  /** Of the server that keeps the list, which is on a port of its own: here, the engine's. */
  readonly routes: Record<string, StandInRoute> = {
    "POST /register_encoder_url": ({ body }) => this.#change(body, (url) => this.urls.add(url)),
    "DELETE /unregister_encoder_url": ({ body }) => this.#change(body, (url) => this.urls.delete(url)),
    "GET /list_encoder_urls": () => ({ json: { encoder_urls: [...this.urls] } }),
  };

  /** Has the media of chats encoded. */
  dialect(onWork: (work: StandInWork) => void, handoff: HandoffDialect | undefined): HandoffDialect {
    return {
      begin: async (body, tokens, signal) => {
        const media = mediaIn(messagesOf(body));
        const [url] = [...this.urls];
        for (const [index, { kind, id }] of media.entries()) {
          const asked = url && (await this.#encode(url, { kind, id, index, count: media.length }, signal));
          if (asked !== true) return refuse(500, "No encoder is available.");
        }
        onWork({ did: "answered", media: media.map(() => "embedding"), promptTokens: tokens.length });
        return handoff?.begin(body, tokens, signal);
      },
    };
  }

  async #encode(
    url: string,
    { kind, id, index, count }: { kind: string; id: string; index: number; count: number },
    signal: AbortSignal,
  ): Promise<boolean> {
    const modality = kind.toUpperCase();
    const req_id = String(++this.#requests);
    const body = { req_id, mm_items: [id], modality, num_parts: count, part_idx: index };
    const headers = { "content-type": "application/json" };
    const init = { method: "POST", headers, body: JSON.stringify(body), signal };
    const response = await fetch(`${url}/encode`, init).catch(() => undefined);
    await response?.body?.cancel();
    return response?.ok === true;
  }

  #change(body: unknown, change: (url: string) => unknown): ReturnType<StandInRoute> {
    const read = z.looseObject({ url: z.string().min(1) }).safeParse(body);
    if (!read.success) return { status: 400, json: { error: "Missing or empty 'url' field" } };
    change(read.data.url.replace(/\/+$/, ""));
    return { text: "OK" };
  }
}
