import type { ModelCard } from "#runtime";
import type { WorkerConnection } from "../../dispatch/worker-connection.ts";
import type { ModelMetrics } from "../../metrics.ts";
import type { ModelRouter } from "../../routing/model-router.ts";
import type { Admission } from "../../routing/queue/admission.ts";
import type { RecentlyLeft } from "../../routing/recently-left.ts";
import type { ChatTemplate } from "../preprocess/chat-template.ts";
import type { Tokenizer } from "../preprocess/tokenizer.ts";

/** A model that can be asked: its card, its router, and what turns text into its tokens and back. */
export interface ServedModel {
  readonly card: ModelCard;
  readonly router: ModelRouter<WorkerConnection>;
  /** How requests get to the router's workers. */
  readonly admission: Admission<WorkerConnection>;
  /** Workers that were the model's until a short while ago. */
  readonly left: RecentlyLeft;
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate;
  readonly metrics: ModelMetrics;
}
