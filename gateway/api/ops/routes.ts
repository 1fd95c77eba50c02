import type { Hono } from "hono";
import type { GatewayEnv } from "../../access/env.ts";
import type { OpsDependencies } from "../dependencies.ts";
import { decisionsOf, listDecisions } from "./decisions.ts";
import { examineEngines } from "./doctor.ts";
import { health } from "./health.ts";
import { loadAdapter, unloadAdapter } from "./lora/routes.ts";
import { referencePage } from "./reference-page.ts";
import { changeThresholds, showThresholds } from "./thresholds.ts";
import { attachWorker, changeWorker, detachWorker, listWorkers, showWorker } from "./workers.ts";

/**
 * Adds the routes that are open to everyone.
 * @param openApi the answer of `/openapi.json`, from `openApiDocument`
 */
export function addPublicRoutes(
  app: Hono<GatewayEnv>,
  dependencies: OpsDependencies,
  openApi: () => object,
): void {
  app.get("/health", (context) => health(context, dependencies));
  app.get("/live", (context) => context.json({ status: "alive" }));
  app.get("/openapi.json", (context) => context.json(openApi()));
  app.get("/docs", (context) => {
    const { url } = context.req;
    // The client's Host header may not make a valid URL.
    const origin = URL.canParse(url) ? new URL(url).origin : "http://HOST";
    return context.html(referencePage(dependencies.models.list()[0]?.name ?? "MODEL", origin));
  });
}

/**
 * Adds the routes for operators.
 * @param showMetrics the route `/metrics`, from `createMetricsRoute`
 */
export function addOpsRoutes(
  app: Hono<GatewayEnv>,
  dependencies: OpsDependencies,
  showMetrics: () => Promise<Response>,
): void {
  app.get("/v1/router/decisions", (context) => listDecisions(context, dependencies));
  app.get("/v1/router/decisions/:id", (context) =>
    decisionsOf(context, dependencies, context.req.param("id")),
  );
  app.get("/v1/router/thresholds", (context) => showThresholds(context, dependencies));
  app.post("/v1/router/thresholds", (context) => changeThresholds(context, dependencies));
  app.get("/metrics", showMetrics);
}

/** Adds the routes that change the gateway's state, and the doctor. */
export function addAdminRoutes(app: Hono<GatewayEnv>, dependencies: OpsDependencies): void {
  app.post("/admin/doctor", (context) => examineEngines(context, dependencies));
  app.get("/admin/workers", (context) => listWorkers(context, dependencies));
  app.post("/admin/workers", (context) => attachWorker(context, dependencies));
  app.patch("/admin/workers/:name", (context) =>
    changeWorker(context, dependencies, context.req.param("name")),
  );
  app.get("/admin/workers/:name{.+}", (context) =>
    showWorker(context, dependencies, context.req.param("name")),
  );
  app.post("/v1/load_lora_adapter", (context) => loadAdapter(context, dependencies));
  app.post("/v1/unload_lora_adapter", (context) => unloadAdapter(context, dependencies));
  app.delete("/admin/workers/:name{.+}", (context) =>
    detachWorker(context, dependencies, context.req.param("name")),
  );
}
