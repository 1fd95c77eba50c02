import { type Logger, messageOf } from "#runtime";
import type { EncoderFactory } from "../../prompts/tokenizers/huggingface.ts";
import { createPortableEncoder } from "../portable-encoder.ts";

/**
 * Hugging Face's native tokenizer, which runs off the event loop. If its addon does not load on this platform, uses
 * the portable one and logs a warning.
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
      log.warn("the native tokenizer failed to load; using the slower portable one", {
        reason: messageOf(error),
      });
      return createPortableEncoder(tokenizerJson);
    }
  };
}
