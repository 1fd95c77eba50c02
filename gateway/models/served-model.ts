import type { ModelCard } from "#runtime";
import type { ChatTemplate } from "../prompts/chat-template.ts";
import type { Tokenizer } from "../prompts/tokenizers/tokenizer.ts";
import type { WorkerConnection } from "./members/worker-connection.ts";
import type { RoutedModel } from "./routed-model.ts";

/** A model of workers that can be asked: its card, its router, and what turns text into its tokens and back. */
export interface ServedModel extends RoutedModel<WorkerConnection> {
  readonly card: ModelCard;
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate;
}
