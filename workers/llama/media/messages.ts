import type { CompletionOptions } from "./binding.ts";

/** To the process that computes prompts with media. */
export type ToProcess =
  | {
      readonly kind: "open";
      readonly binding: string;
      readonly modelPath: string;
      readonly projectorPath: string;
      readonly contextLength: number;
      readonly threads: number;
    }
  | MediaQuestion
  | { readonly kind: "stop" };

export interface MediaQuestion {
  readonly kind: "ask";
  /** With a marker in the place of each medium. */
  readonly prompt: string;
  /** As data: URLs. */
  readonly media: readonly string[];
  readonly maxTokens: number;
  readonly options: CompletionOptions;
}

/** From it. */
export type FromProcess =
  | { readonly kind: "ready"; readonly vision: boolean; readonly audio: boolean }
  | { readonly kind: "unready"; readonly message: string }
  /** It computes the prompt, whose tokens are counted with those of its media. */
  | { readonly kind: "begun"; readonly promptTokens: number }
  | { readonly kind: "text"; readonly text: string }
  | MediaEnd;

export type MediaEnd =
  | { readonly kind: "done"; readonly finish: "stop" | "length" }
  /** The prompt cannot be answered. @param message a sentence for the client */
  | { readonly kind: "refused"; readonly message: string }
  /** The process can compute no more. */
  | { readonly kind: "failed"; readonly message: string };
