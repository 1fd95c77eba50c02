import { Hono } from "hono";
import { requestId as newRequestId } from "#runtime";
import { createGuard } from "./access/guard.ts";
import { forwardAny, forwardOr } from "./api/forward/routes.ts";
import { chatCompletions } from "./api/openai/chat-completions.ts";
import { completions } from "./api/openai/completions.ts";
import { embeddings } from "./api/openai/embeddings.ts";
import { listModels, retrieveModel } from "./api/openai/models.ts";
import { decisionsOf, listDecisions } from "./api/ops/decisions.ts";
import { health } from "./api/ops/health.ts";
import { referencePage } from "./api/ops/reference-page.ts";
import { changeThresholds, showThresholds } from "./api/ops/thresholds.ts";
import { attachWorker, detachWorker, listWorkers, showWorker } from "./api/ops/workers.ts";
import type { GatewayDependencies } from "./dependencies.ts";
import type { GatewayEnv } from "./env.ts";
import { ApiError, clientLeft, toApiError } from "./errors.ts";

/** What an app answers: the API, with or without the routes that run the gateway; or these alone. */
export type Face = "api" | "api and admin" | "admin";

export interface AppOptions {
  /** The answer of `/openapi.json`, from `openApiDocument`: apps share it, for it takes a while to make. */
  readonly openApi: object;
  readonly face: Face;
  /** The route `/metrics`, from `createMetricsRoute`: apps with the same dependencies share one. */
  showMetrics(): Promise<Response>;
}

/** Puts the routes together. The result is a web-standard `fetch` handler for any runtime's adapter. */
export function createApp(
  dependencies: GatewayDependencies,
  { openApi, face, showMetrics }: AppOptions,
): Hono<GatewayEnv> {
  const { log, warnings, metrics, models } = dependencies;
  const app = new Hono<GatewayEnv>();

  app.use(async (context, next) => {
    context.set("arrivedAt", performance.now());
    const given = context.req.header("x-request-id");
    context.set("requestId", given && /^[\x21-\x7e]{1,128}$/.test(given) ? given : newRequestId());
    await next();
  });
  app.use(createGuard(dependencies.access));

  if (face !== "admin") addApi();
  if (face !== "api") addAdmin();
  addOps();

  function addApi(): void {
    for (const [path, route] of Object.entries(OWN_ROUTES)) {
      const handle = forwardOr(route);
      app.post(path, (context) => handle(context, dependencies));
    }
    app.get("/v1/models", (context) => listModels(context, dependencies));
    app.get("/v1/models/:id{.+}", (context) => retrieveModel(context, dependencies, context.req.param("id")));
    app.get("/", (context) => context.redirect("/docs"));
  }

  function addOps(): void {
    app.get("/v1/router/decisions", (context) => listDecisions(context, dependencies));
    app.get("/v1/router/decisions/:id", (context) =>
      decisionsOf(context, dependencies, context.req.param("id")),
    );
    app.get("/v1/router/thresholds", (context) => showThresholds(context, dependencies));
    app.post("/v1/router/thresholds", (context) => changeThresholds(context, dependencies));
    app.get("/health", (context) => health(context, dependencies));
    app.get("/live", (context) => context.json({ status: "alive" }));
    app.get("/metrics", showMetrics);
    app.get("/openapi.json", (context) => context.json(openApi));
    app.get("/docs", (context) => {
      const { origin } = new URL(context.req.url);
      return context.html(referencePage(models.list()[0]?.name ?? "MODEL", origin));
    });
  }

  function addAdmin(): void {
    app.get("/admin/workers", (context) => listWorkers(context, dependencies));
    app.post("/admin/workers", (context) => attachWorker(context, dependencies));
    app.get("/admin/workers/:name{.+}", (context) =>
      showWorker(context, dependencies, context.req.param("name")),
    );
    app.delete("/admin/workers/:name{.+}", (context) =>
      detachWorker(context, dependencies, context.req.param("name")),
    );
  }

  app.notFound((context) => {
    if (face !== "admin" && !models.attached.isEmpty && isPassedOn(context.req.method, context.req.path))
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
    const endpoint = ENDPOINTS[context.req.path];
    if (endpoint !== undefined && !context.get("isCounted")) {
      metrics.requests.inc({ model: "", endpoint, status: String(apiError.status) });
    }
    const headers = { ...context.get("headers"), ...apiError.headers, "x-request-id": requestId };
    return Response.json(apiError, { status: apiError.status, headers });
  });

  /** Which methods a path has, for 405; a path that has none is unknown. */
  function unmatched(method: string, path: string): ApiError {
    const allowed = new Set(
      app.routes
        .filter((route) => route.method !== "ALL" && matches(route.path, path))
        .map((route) => route.method),
    );
    if (allowed.size === 0) {
      return new ApiError(
        404,
        "not_found_error",
        `Unknown route: ${method} ${path.slice(0, 200)}. GET /docs lists all.`,
        {
          code: "unknown_route",
        },
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

/** What this gateway's own workers can answer. */
const OWN_ROUTES = {
  "/v1/chat/completions": chatCompletions,
  "/v1/completions": completions,
  "/v1/embeddings": embeddings,
};

/** Names in metrics, for requests that are refused before their model is known. */
const ENDPOINTS: Record<string, string | undefined> = {
  "/v1/chat/completions": "chat",
  "/v1/completions": "completions",
  "/v1/embeddings": "embeddings",
};

/** What attached engines may know although the gateway does not. */
const isPassedOn = (method: string, path: string) =>
  method !== "OPTIONS" && path.startsWith("/v1/") && !path.startsWith("/v1/router/");

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
