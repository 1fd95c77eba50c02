import { Hono } from "hono";
import { expect, test } from "vitest";
import { toApiError } from "../../kernel/errors.ts";
import { refuseUnknownQuery } from "./query.ts";

const app = new Hono();
app.get("/", (context) => {
  refuseUnknownQuery(context, ["model", "limit"]);
  return context.text("fine");
});
app.onError((error) => Response.json(toApiError(error), { status: toApiError(error).status }));

test("an unknown query parameter is rejected with the nearest known one", async () => {
  expect((await app.request("/?model=a&limit=1")).status).toBe(200);
  const close = await app.request("/?limt=1");
  expect(close.status).toBe(400);
  expect((await close.json()).error).toMatchObject({
    code: "unknown_parameter",
    param: "limt",
    message: expect.stringContaining("did you mean 'limit'?"),
  });
  expect((await (await app.request("/?zzzzzzzz=1")).json()).error.message).toContain("takes model and limit");
});
