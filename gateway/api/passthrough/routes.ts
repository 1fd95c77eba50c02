import type { Context } from "hono";
import { type LightJsonBody, readBytes, readLightBody } from "../../access/body.ts";
import type { GatewayEnv } from "../../access/env.ts";
import { ApiError, invalidRequest } from "../../kernel/errors.ts";
import { isRecord } from "../../kernel/json.ts";
import { isFormType, notAForm, readForm } from "../../kernel/multipart.ts";
import type { Model } from "../../models/model.ts";
import { requireModel } from "../../models/model-scope.ts";
import { NO_PREFERENCES } from "../../routing/preferences.ts";
import type { PeekRequest } from "../../routing/route.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import type { OwnEndpoint } from "../endpoint.ts";
import { ENDPOINTS, endpointOf, resourceOf } from "../endpoints.ts";
import { refuseNameless } from "../named-model.ts";
import { readPreferences } from "../openai/preferences.ts";
import { inBackground } from "../responses/background.ts";
import { isKeptHere } from "../responses/keeper.ts";
import { isResumable, resumableStream, resumeStream } from "../resumable.ts";
import { isTranslated, type Translation } from "../translation/translation.ts";
import { type Candidate, candidatesFor, firstAnswer } from "./candidates.ts";
import { type ModelInForm, modelInForm } from "./form.ts";
import { type EngineRequest, forward, promptOf } from "./forward.ts";
import { withBothKinds } from "./member-kinds.ts";
import { preferenceFields } from "./preference-fields.ts";
import { modelOfJson } from "./rename.ts";
import { plainRequest, translatedRequest, wholeRequest, withMedia } from "./request-media.ts";
import { modelWith } from "./resource-owner.ts";

/** Answers with the model that the request names: forwards to its engines, or calls the gateway's own route. */
export function forwardOr({
  route: own,
  isForm = false,
}: OwnEndpoint): (context: Context<GatewayEnv>, dependencies: GatewayDependencies) => Promise<Response> {
  return async (context, dependencies) => {
    if (isForm) return answerForm(context, dependencies);
    const resumed = await resumeStream(context, dependencies);
    if (resumed !== undefined) return resumed;
    const { tools } = dependencies.access.media;
    const { json, ...light } = await readLightBody(context.req.raw, dependencies.bodyLimit, tools);
    const request = plainRequest(light, json);
    if (!isResumable(context, json)) return answer(context, dependencies, request, json);
    return resumableStream(context, dependencies, () => answer(context, dependencies, request, json));
  };

  async function answerForm(
    context: Context<GatewayEnv>,
    dependencies: GatewayDependencies,
  ): Promise<Response> {
    const type = context.req.header("content-type") ?? "";
    if (!isFormType(type)) {
      // An engine may take what workers do not.
      if (dependencies.hasEngines()) return forwardAny(context, dependencies);
      throw notAForm(type);
    }
    const bytes = await readBytes(context.req.raw, dependencies.bodyLimit);
    const request = { bytes, body: undefined, form: modelInForm(bytes, type) };
    return answer(context, dependencies, request, readForm(bytes, type));
  }

  async function answer(
    context: Context<GatewayEnv>,
    dependencies: GatewayDependencies,
    received: EngineRequest,
    given: unknown,
  ): Promise<Response> {
    const { models } = dependencies;
    const queried = context.req.query("model");
    const json = withName(given, queried);
    const name = modelOfJson(json);
    if (name !== undefined) requireModel(context.get("key"), models, name);
    const candidates = candidatesFor(name, context, models).filter(
      ({ model }) => name !== undefined || model.has("engine"),
    );
    // Before anything else in the body is validated, which is up to the model's own routes.
    if (candidates.length === 0 && dependencies.hasEngines() && name !== undefined) models.refuse(name);
    const ownJson = () => withName(received.body === undefined ? given : wholeRequest(received), queried);
    if (candidates.length === 0) return own(context, dependencies, ownJson(), false);
    const attached = candidates.find(isForEngines)?.model.engines;
    const request = attached ? await withMedia(context, dependencies, received, attached) : received;
    const asked = await withBothKinds(candidates, async (model) => ({
      prompt: await promptOf(context, request, model),
      preferences: preferencesOf(context, dependencies, request, model),
    }));
    return firstAnswer(context, dependencies, asked, async (candidate, hasOthers) => {
      if (isForEngines(candidate)) {
        const { translate } = endpointOf(context.req.path);
        const { engines } = candidate.model;
        const { path } = context.req;
        const { cacheSalt } = context.var;
        const translation =
          translate !== undefined &&
          ((await isKeptHere(context, dependencies, json)) ||
            (await isTranslated(dependencies.translate, engines, path, cacheSalt)))
            ? await translate(context, dependencies, withName(wholeRequest(request), queried))
            : undefined;
        const ask = (asked: EngineRequest) => forward(context, dependencies, asked, candidate, hasOthers);
        const forwarded = () =>
          translation === undefined
            ? ask(request)
            : fitting(translation, async (each) =>
                ask(await translatedRequest(context, dependencies, each, candidate.model.engines)),
              );
        const { background } = translation ?? {};
        return background === undefined
          ? forwarded()
          : inBackground(context, dependencies, background.stored, background.isStreamed, forwarded);
      }
      await candidate.model.whenReady();
      return own(context, dependencies, renamed(ownJson(), candidate), hasOthers);
    });
  }
}

/** Sends shorter and shorter conversations until one fits, if the request allows it. */
async function fitting(
  translation: Translation,
  ask: (translation: Translation) => Promise<Response>,
): Promise<Response> {
  try {
    return await ask(translation);
  } catch (error) {
    const shorter = isTooLong(error) ? translation.shorter?.() : undefined;
    if (shorter === undefined) throw error;
    return fitting(shorter, ask);
  }
}

/** Whether an engine says that a prompt is longer than its context; each says so in its own words. */
const isTooLong = (error: unknown): boolean =>
  error instanceof ApiError &&
  error.status === 400 &&
  (error.code === "context_length_exceeded" ||
    /context (length|size|window)|too long|maximum.*tokens/i.test(error.message));

/** Forwards any other path under `/v1/` to the attached engines. */
export async function forwardAny(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
): Promise<Response> {
  const { models, bodyLimit } = dependencies;
  const { raw } = context.req;
  const type = context.req.header("content-type") ?? "";
  const hasBody = raw.body !== null && raw.method !== "GET" && raw.method !== "HEAD";
  let bytes: Uint8Array | undefined;
  let received: LightJsonBody | undefined;
  let form: ModelInForm | undefined;
  let name = context.req.query("model");
  if (hasBody && type.toLowerCase().startsWith("application/json")) {
    // Some clients send a content type without a body, with DELETE for example.
    received = await readLightBody(raw, bodyLimit, dependencies.access.media.tools, true);
    name = modelOfJson(received.json) ?? name;
  } else if (hasBody) {
    bytes = await readBytes(raw, bodyLimit);
    form = modelInForm(bytes, type);
    name = form?.name ?? name;
  }
  const resource =
    name === undefined && models.only === undefined ? resourceOf(context.req.path, undefined) : undefined;
  const keeper = resource && (await modelWith(resource, models));
  // Whoever asks for what an engine keeps need not know its model.
  const asked = name ?? keeper?.name;
  if (asked !== undefined) requireModel(context.get("key"), models, asked);
  const found = candidatesFor(asked, context, models);
  const candidates = found.filter(isForEngines);
  if (candidates.length > 0) {
    const { engines } = candidates[0]!.model;
    const request: EngineRequest =
      received === undefined || received.bytes.length === 0
        ? { bytes: bytes?.length === 0 ? undefined : bytes, body: undefined, form }
        : await withMedia(context, dependencies, plainRequest(received, received.json), engines);
    return firstAnswer(context, dependencies, candidates, (candidate, hasOthers) =>
      forward(context, dependencies, request, candidate, hasOthers),
    );
  }
  if (name === undefined) return refuseNameless(context, models, (model) => model.has("engine"));
  return found.length > 0 ? refusePath(context, name) : models.refuse(name);
}

/** The request's preferences; none if they are invalid, which is reported once a member is asked. */
function preferencesOf(
  context: Context<GatewayEnv>,
  { preferenceDefaults }: GatewayDependencies,
  { body }: EngineRequest,
  { engines }: Model,
): PeekRequest["preferences"] {
  const { arrivedAt } = context.var;
  try {
    return readPreferences(context, preferenceFields(body), engines, preferenceDefaults, arrivedAt);
  } catch (error) {
    if (error instanceof ApiError) return NO_PREFERENCES;
    throw error;
  }
}

const isForEngines = ({ kind }: Candidate) => kind === "engine";

/** The body with the model that the query names, if it names none itself. */
const withName = (json: unknown, name: string | undefined): unknown =>
  name === undefined || !isRecord(json) || "model" in json ? json : { ...json, model: name };

/** The body with the model name that the workers use. */
const renamed = (json: unknown, { rename }: Candidate): unknown =>
  rename === undefined || !isRecord(json) ? json : { ...json, model: rename };

/** @throws ApiError 400: the model's workers have no such route; 415: they have one that takes a form */
function refusePath({ req }: Context<GatewayEnv>, name: string): never {
  const { path } = req;
  if (endpointOf(path).own?.isForm) throw notAForm(req.header("content-type") ?? "");
  throw invalidRequest(
    `The model '${name.slice(0, 100)}' is served by workers, which do not support ${path.slice(0, 200)}. Their routes are ${OWN_PATHS}.`,
    "model",
    "unsupported_model",
  );
}

const OWN_PATHS = [...ENDPOINTS].flatMap(([path, { own }]) => (own === undefined ? [] : [path])).join(", ");
