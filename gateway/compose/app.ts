import { Hono } from "hono";
import { requestId as newRequestId } from "#runtime";
import type { GatewayEnv } from "../access/env.ts";
import { createGuard } from "../access/guard.ts";
import { canonicalPath } from "../access/paths.ts";
import type { GatewayDependencies } from "../api/dependencies.ts";
import { ENDPOINTS, methodsOf } from "../api/endpoints.ts";
import { listModels, retrieveModel } from "../api/openai/models.ts";
import { forwardAny, forwardOr } from "../api/passthrough/routes.ts";
import { anthropicError } from "../kernel/anthropic-error.ts";
import { ApiError, clientLeft, toApiError } from "../kernel/errors.ts";
import { refuseLoop } from "../kernel/loops.ts";

export interface AppOptions {
  /** Whether it answers the API's own routes, and passes on what engines may know. */
  readonly hasApi: boolean;
  /** Adds what else it answers. */
  addRoutes?(app: Hono<GatewayEnv>): void;
  /** Who answers, in this one's place, what is neither the API's nor for engines. */
  answerElsewhere?(request: Request): Promise<Response>;
}

/** Puts the routes together. The result is a web-standard `fetch` handler for any runtime's adapter. */
export function createApp(
  dependencies: GatewayDependencies,
  { hasApi, addRoutes, answerElsewhere }: AppOptions,
): Hono<GatewayEnv> {
  const { log, warnings, metrics, access } = dependencies;
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
      if (isOfApi(path)) return next();
      // A web request cannot be made with these.
      if (FORBIDDEN_METHODS.has(method)) throw unmatched(method, path);
      return answerElsewhere(raw);
    });
  if (hasApi) addApi();
  addRoutes?.(app);

  function addApi(): void {
    for (const [path, { own }] of ENDPOINTS) {
      if (own === undefined) continue;
      const handle = forwardOr(own.route);
      app.post(path, (context) => handle(context, dependencies));
    }
    app.get("/v1/models", (context) => listModels(context, dependencies));
    app.get("/v1/models/:id{.+}", (context) => retrieveModel(context, dependencies, context.req.param("id")));
    app.get("/", (context) => context.redirect("/docs"));
  }

  app.notFound((context) => {
    if (hasEngines() && isPassedOn(context.req.method, context.req.path))
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
      // Nobody to ask yet is what a client polls for at the start; a fault of the gateway's own is worth each line.
      if (code === "no_worker_ready") log.debug("request failed", fields);
      else if (code === "internal_error") log.error("request failed", fields);
      else warnings.warn(code ?? String(status), "request failed", fields);
    }
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

  /** Whether it is for attached engines, whatever they make of it. */
  function isPassedOn(method: string, path: string): boolean {
    if (!isOfApi(path)) return false;
    return access.passesAll ? PASSED_ON.has(method) : methodsOf(path).includes(method);
  }

  /** Which methods a path has; one that has none is unknown. */
  function allowedMethods(path: string): Set<string> {
    const own = app.routes.filter((route) => route.method !== "ALL" && matches(route.path, path));
    const engines = hasEngines() && isOfApi(path) ? methodsOf(path) : [];
    return new Set([...own.map(({ method }) => method), ...engines]);
  }

  function unmatched(method: string, path: string): ApiError {
    const allowed = allowedMethods(path);
    if (allowed.size === 0) {
      const meant = path.includes("/v1/") ? path.slice(path.lastIndexOf("/v1/")) : `/v1${path}`;
      let advice = "GET /docs lists all.";
      if (allowedMethods(meant).has(method))
        advice = `Did you mean ${meant}? The base address of clients ends in /v1, once.`;
      else if (hasEngines() && isOfApi(path))
        advice += " Other paths of engines pass only where the gateway is started with --pass-all.";
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
const PASSED_ON = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]);

/** Whether the client speaks Anthropic's API: the header is on all that its clients send. */
const isOfAnthropic = (path: string, version: string | undefined) =>
  version !== undefined || /^\/v1\/messages(\/|$)/.test(path);

const isOfApi = (path: string) => path.startsWith("/v1/") && !path.startsWith("/v1/router/");

function matches(route: string, path: string): boolean {
  const parameter = route.indexOf("/:");
  if (parameter < 0) return route === path;
  const prefix = route.slice(0, parameter + 1);
  return path.startsWith(prefix) && path.length > prefix.length;
}

function describeCause(error: ApiError): string {
  const { cause } = error;
  // A stack leads to a fault in this program; a worker that is lost is none.
  if (cause instanceof Error) return (error.code === "internal_error" && cause.stack) || cause.message;
  return cause === undefined ? error.message : String(cause);
}
