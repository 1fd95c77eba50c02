import type { EngineAdapter, EngineApi, EngineModel } from "../engines/types.ts";

/** A text that tokenizers split differently. */
const TEXT = "Straße, 東京 & naïve 🙂 — 12345.678\n\tdef f(x): return x  # don't";

/**
 * A fixed text and chat as tokenized by the engine, as one string to compare with other engines'; undefined if the
 * engine has no tokenize route.
 */
export async function fingerprintOf(
  adapter: EngineAdapter,
  tokenizes: "chat" | "text" | "nothing",
  api: EngineApi,
  { name: model }: EngineModel,
): Promise<string | undefined> {
  if (tokenizes === "nothing") return undefined;
  const messages = [
    { role: "system", content: "Answer." },
    { role: "user", content: TEXT },
  ];
  try {
    const text = await adapter.tokenize(api, { model, prompt: TEXT });
    const chat =
      tokenizes === "chat"
        ? await adapter.tokenize(api, { model, chat: { messages } }).catch(() => undefined)
        : undefined;
    return [text, chat ?? []].map((tokens) => tokens.join(",")).join(";");
  } catch {
    return undefined;
  }
}
