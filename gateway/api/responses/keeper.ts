import type { Context } from "hono";
import type { GatewayEnv } from "../../access/env.ts";
import { isRecord } from "../../kernel/json.ts";
import { isOwnConversation } from "../conversations/id.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { isTranslated } from "../translation/translation.ts";
import { isOwnResponse } from "./items.ts";
import { ownerOf } from "./owner.ts";

const PATH = "/v1/responses";

/**
 * Whether the gateway, not an engine, keeps what a request for a response needs or makes. Engines do not know whose
 * responses are whose, so that with keys, the gateway keeps them all.
 */
export async function isKeptHere(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  json: unknown,
): Promise<boolean> {
  if (context.req.path !== PATH || !isRecord(json)) return false;
  const { conversation, previous_response_id: previous } = json;
  const conversationId = isRecord(conversation) ? conversation.id : conversation;
  if (typeof conversationId === "string" && (await isConversationHere(context, dependencies, conversationId)))
    return true;
  if (typeof previous === "string" && (await isResponseHere(context, dependencies, previous))) return true;
  if (ownerOf(context) === "" || dependencies.translate === "never") return false;
  return json.store !== false || json.background === true;
}

/** Whether the gateway is asked about a response, not the attached engines, which may keep some of their own. */
export const isResponseHere: KeptQuestion = (context, dependencies, id) =>
  isHere(context, dependencies, isOwnResponse(id), () => dependencies.responses.get(id));

/** Whether the gateway is asked about a conversation, not the attached engines. */
export const isConversationHere: KeptQuestion = (context, dependencies, id) =>
  isHere(context, dependencies, isOwnConversation(id), () => dependencies.responses.changes(id));

type KeptQuestion = (
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  id: string,
) => Promise<boolean>;

/**
 * @param hasOurForm whether the id has the form of the gateway's own
 * @param read reads it from the store
 */
async function isHere(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  hasOurForm: boolean,
  read: () => Promise<unknown>,
): Promise<boolean> {
  if (ownerOf(context) !== "" || !dependencies.hasEngines()) return true;
  return hasOurForm && ((await read()) !== undefined || !(await haveEnginesResponses(dependencies)));
}

/** Whether a model's engines have responses of their own. Those of another gateway have ids like ours. */
async function haveEnginesResponses({ models, translate }: GatewayDependencies): Promise<boolean> {
  const attached = models.all().filter((model) => model.has("engine"));
  const translated = attached.map(({ engines }) => isTranslated(translate, engines, PATH, undefined));
  return (await Promise.all(translated)).includes(false);
}
