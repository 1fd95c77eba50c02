import { Hono } from "hono";
import { requestId as newRequestId } from "#runtime";
import type { GatewayEnv } from "../access/env.ts";
import { createGuard } from "../access/guard.ts";
import { canonicalPath, isModelPath } from "../access/paths.ts";
import { createConversation } from "../api/conversations/conversations.ts";
import { CONVERSATION_ROUTES } from "../api/conversations/routes.ts";
import type { GatewayDependencies } from "../api/dependencies.ts";
import { ENDPOINTS, isOfMessages, methodsOf } from "../api/endpoints.ts";
import { listModels, retrieveModel } from "../api/openai/models.ts";
import { forwardAny, forwardOr } from "../api/passthrough/routes.ts";
import { isConversationHere, isResponseHere } from "../api/responses/keeper.ts";
import { ownerOf } from "../api/responses/owner.ts";
import { STORED_ROUTES } from "../api/responses/stored.ts";
import { resumeStream } from "../api/resumable.ts";
import { anthropicError } from "../kernel/anthropic-error.ts";
import { ApiError, clientLeft, toApiError } from "../kernel/errors.ts";
import { refuseLoop } from "../kernel/loops.ts";

export interface AppOptions {
  /** Whether it serves the API's routes, and forwards others to engines. */
  readonly hasApi: boolean;
  /** Adds further routes. */
  addRoutes?(app: Hono<GatewayEnv>): void;
  /** Answers requests outside the API in another process; default: they are handled here. */
  answerElsewhere?(request: Request): Promise<Response>;
}

/** Assembles the routes into a web-standard `fetch` handler for any runtime's adapter. */
export function createApp(
  dependencies: GatewayDependencies,
  { hasApi, addRoutes, answerElsewhere }: AppOptions,
): Hono<GatewayEnv> {
  const { log, warnings, metrics, access } = dependencies;
  /** Whether a request has looped back: an engine that is this gateway itself is probed again and again. */
  let hasLooped = false;
  const app = new Hono<GatewayEnv>({ getPath: ({ url }) => canonicalPath(url) });

  app.use(async (context, next) => {
    context.set("arrivedAt", performance.now());
    const given = context.req.header("x-request-id");
    context.set("requestId", given && /^[\x21-\x7e]{1,128}$/.test(given) ? given : newRequestId());
    await next();
  });
  app.use(createGuard(dependencies.access));
  app.use((context, next) => {
    refuseLoop(context.req.header("via"), dependencies.via);
    return next();
  });
  if (answerElsewhere !== undefined)
    app.use((context, next) => {
      const { method, path, raw } = context.req;
      if (isModelPath(path)) return next();
      // `Request` does not allow these.
      if (FORBIDDEN_METHODS.has(method)) throw unmatched(method, path);
      return answerElsewhere(raw);
    });
  if (hasApi) addApi();
  addRoutes?.(app);

  function addApi(): void {
    for (const [path, { own, events }] of ENDPOINTS) {
      if (own === undefined) continue;
      const handle = forwardOr(own);
      app.post(path, (context) => handle(context, dependencies));
      // As browsers' EventSource resumes a stream.
      if (events !== undefined)
        app.get(path, async (context) => {
          const { method, path } = context.req;
          return (await resumeStream(context, dependencies)) ?? refuse(method, path);
        });
    }
    app.get("/v1/models", (context) => listModels(context, dependencies));
    app.get("/v1/models/:id{.+}", (context) => retrieveModel(context, dependencies, context.req.param("id")));
    for (const [method, path, route] of STORED_ROUTES)
      app.on(method, path, async (context) => {
        const id = context.req.param("id");
        if (await isResponseHere(context, dependencies, id)) return route(context, dependencies, id);
        return forwardAny(context, dependencies);
      });
    app.post("/v1/conversations", (context) =>
      // Then the engines keep what their responses need.
      dependencies.translate === "never" && dependencies.hasEngines() && ownerOf(context) === ""
        ? forwardAny(context, dependencies)
        : createConversation(context, dependencies),
    );
    for (const [method, path, route] of CONVERSATION_ROUTES)
      app.on(method, path, async (context) => {
        const id = context.req.param("id");
        if (await isConversationHere(context, dependencies, id)) return route(context, dependencies, id);
        return forwardAny(context, dependencies);
      });
    app.get("/", (context) => context.redirect("/docs"));
  }

  app.notFound((context) => {
    if (hasEngines() && isForwarded(context.req.method, context.req.path))
      return forwardAny(context, dependencies);
    throw unmatched(context.req.method, context.req.path);
  });
  app.onError((error, context) => {
    const { aborted } = context.req.raw.signal;
    const apiError = aborted ? clientLeft() : toApiError(error);
    const requestId = context.get("requestId") ?? newRequestId();
    if (apiError.status >= 500) {
      const { status, code } = apiError;
      const fields = { request: requestId, status, code, cause: describeCause(apiError) };
      // Clients may poll during start-up, so a missing worker is not worth a line; each internal error is.
      if (code === "no_worker_ready") log.debug("request failed", fields);
      else if (code === "internal_error") log.error("request failed", fields);
      else if (code === "loop_detected" && hasLooped) log.debug("request failed", fields);
      else warnings.warn(code ?? String(status), "request failed", fields);
    }
    hasLooped ||= apiError.code === "loop_detected";
    const endpoint = ENDPOINTS.get(context.req.path)?.name;
    if (endpoint !== undefined && !context.get("isCounted")) {
      metrics.requests.inc({ model: "", endpoint, status: String(apiError.status) });
    }
    const headers = { ...context.get("headers"), ...apiError.headers, "x-request-id": requestId };
    const isAnthropic = isOfAnthropic(context.req.path, context.req.header("anthropic-version"));
    const body = isAnthropic ? anthropicError(apiError, requestId) : apiError;
    return Response.json(body, { status: apiError.status, headers });
  });

  function hasEngines(): boolean {
    return hasApi && dependencies.hasEngines();
  }

  /** Whether a request that has no route here is forwarded to attached engines. */
  function isForwarded(method: string, path: string): boolean {
    if (!isModelPath(path)) return false;
    return access.passesAll ? FORWARDED_METHODS.has(method) : methodsOf(path).includes(method);
  }

  /** The methods that a path supports; none for an unknown path. */
  function allowedMethods(path: string): Set<string> {
    const own = app.routes.filter((route) => route.method !== "ALL" && matches(route.path, path));
    const engines = hasEngines() && isModelPath(path) ? methodsOf(path) : [];
    return new Set([...own.map(({ method }) => method), ...engines]);
  }

  function refuse(method: string, path: string): never {
    throw unmatched(method, path);
  }

  function unmatched(method: string, path: string): ApiError {
    const allowed = allowedMethods(path);
    // There is a GET that only resumes streams.
    allowed.delete(method);
    if (allowed.size === 0) {
      const meant = path.includes("/v1/") ? path.slice(path.lastIndexOf("/v1/")) : `/v1${path}`;
      let advice = "GET /docs lists all routes.";
      if (allowedMethods(meant).has(method))
        advice = `Did you mean ${meant}? A client's base URL must end in a single /v1.`;
      else if (hasEngines() && isModelPath(path))
        advice += " To forward other paths to engines, start the gateway with --pass-all.";
      return new ApiError(
        404,
        "not_found_error",
        `Unknown route: ${method} ${path.slice(0, 200)}. ${advice}`,
        { code: "unknown_route" },
      );
    }
    if (allowed.has("GET")) allowed.add("HEAD");
    const allow = [...allowed].join(", ");
    return new ApiError(405, "invalid_request_error", `${method} is not allowed here; use ${allow}.`, {
      code: "method_not_allowed",
      headers: { allow },
    });
  }

  return app;
}

/** https://fetch.spec.whatwg.org/#forbidden-method */
const FORBIDDEN_METHODS = new Set(["CONNECT", "TRACE", "TRACK"]);

/** With `--pass-all`. */
const FORWARDED_METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]);

/** Whether the client uses Anthropic's API, whose clients always send the header. */
const isOfAnthropic = (path: string, version: string | undefined) =>
  version !== undefined || isOfMessages(path);

/** Whether a path is one of a route's. A parameter is one segment, or the rest of the path. */
function matches(route: string, path: string): boolean {
  const segments = route.split("/");
  const given = path.split("/");
  const hasRest = route.endsWith("{.+}");
  if (hasRest ? given.length < segments.length : given.length !== segments.length) return false;
  return segments.every((segment, index) =>
    segment.startsWith(":") ? given[index] !== "" : segment === given[index],
  );
}

function describeCause(error: ApiError): string {
  const { cause } = error;
  // A stack trace helps to find a bug in this program, but not a lost worker.
  if (cause instanceof Error) return (error.code === "internal_error" && cause.stack) || cause.message;
  return cause === undefined ? error.message : String(cause);
}
