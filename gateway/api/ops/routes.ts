import type { Hono } from "hono";
import type { OpsDependencies } from "../../dependencies.ts";
import type { GatewayEnv } from "../../env.ts";
import { decisionsOf, listDecisions } from "./decisions.ts";
import { health } from "./health.ts";
import { referencePage } from "./reference-page.ts";
import { changeThresholds, showThresholds } from "./thresholds.ts";
import { attachWorker, detachWorker, listWorkers, showWorker } from "./workers.ts";

/** What is made once for all apps that have these routes. */
export interface OpsAnswers {
  /** The answer of `/openapi.json`, from `openApiDocument`. */
  openApi(): object;
  /** The route `/metrics`, from `createMetricsRoute`. */
  showMetrics(): Promise<Response>;
}

/** Routes that tell of the gateway. */
export function addOpsRoutes(
  app: Hono<GatewayEnv>,
  dependencies: OpsDependencies,
  { openApi, showMetrics }: OpsAnswers,
): void {
  app.get("/v1/router/decisions", (context) => listDecisions(context, dependencies));
  app.get("/v1/router/decisions/:id", (context) =>
    decisionsOf(context, dependencies, context.req.param("id")),
  );
  app.get("/v1/router/thresholds", (context) => showThresholds(context, dependencies));
  app.post("/v1/router/thresholds", (context) => changeThresholds(context, dependencies));
  app.get("/health", (context) => health(context, dependencies));
  app.get("/live", (context) => context.json({ status: "alive" }));
  app.get("/metrics", showMetrics);
  app.get("/openapi.json", (context) => context.json(openApi()));
  app.get("/docs", (context) => {
    const { origin } = new URL(context.req.url);
    return context.html(referencePage(dependencies.models.list()[0]?.name ?? "MODEL", origin));
  });
}

/** Routes that run the gateway. */
export function addAdminRoutes(app: Hono<GatewayEnv>, dependencies: OpsDependencies): void {
  app.get("/admin/workers", (context) => listWorkers(context, dependencies));
  app.post("/admin/workers", (context) => attachWorker(context, dependencies));
  app.get("/admin/workers/:name{.+}", (context) =>
    showWorker(context, dependencies, context.req.param("name")),
  );
  app.delete("/admin/workers/:name{.+}", (context) =>
    detachWorker(context, dependencies, context.req.param("name")),
  );
}
