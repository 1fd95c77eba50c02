import type { Logger } from "#runtime";
import type { EncoderFactory } from "../../prompts/tokenizers/huggingface.ts";
import { createPortableEncoder } from "../portable-encoder.ts";

/**
 * Hugging Face's native tokenizer, which works off the event loop. Where its addon does not load on this
 * platform, the portable one serves and the log says so.
 */
export function nativeEncoderFactory(log: Logger): EncoderFactory {
  return async (tokenizerJson) => {
    try {
      const { Tokenizer } = await import("tokenizers");
      const tokenizer = Tokenizer.fromString(tokenizerJson);
      return async (text) => {
        const encoding = await tokenizer.encode(text, null, { addSpecialTokens: false });
        return Uint32Array.from(encoding.getIds());
      };
    } catch (error) {
      log.warn("the native tokenizer does not load; using the portable one, which is slower", {
        reason: error instanceof Error ? error.message : String(error),
      });
      return createPortableEncoder(tokenizerJson);
    }
  };
}
