import { z } from "zod";
import type { Operation } from "./operation.ts";
import { OPERATIONS } from "./operations.ts";

/** The gateway's OpenAPI 3.1 description, generated from the schemas with which the routes validate. */
export function openApiDocument(version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const operation of OPERATIONS) {
    const methods = paths[operation.path] ?? {};
    methods[operation.method] = describeOperation(operation);
    paths[operation.path] = methods;
  }
  return {
    openapi: "3.1.0",
    info: { title: "Stator", version, license: { name: "Apache-2.0", identifier: "Apache-2.0" } },
    paths,
    components: { schemas: { Error: ERROR_SCHEMA } },
  };
}

const ERROR_SCHEMA = {
  type: "object",
  required: ["error"],
  properties: {
    error: {
      type: "object",
      required: ["message", "type", "param", "code"],
      properties: {
        message: { type: "string" },
        type: { type: "string" },
        param: { type: ["string", "null"] },
        code: { type: ["string", "null"] },
      },
    },
  },
};

function describeOperation(operation: Operation): object {
  const { summary, description, requestSchema, example } = operation;
  const pathParameters = Array.from(operation.path.matchAll(/\{(\w+)\}/g), ([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
  const queryParameters = Object.entries(operation.query ?? {}).map(([name, text]) => ({
    name,
    in: "query",
    description: text,
    schema: { type: "string" },
  }));
  const parameters = [...pathParameters, ...queryParameters];
  return {
    operationId: operationId(operation),
    summary,
    description,
    ...(parameters.length > 0 && { parameters }),
    ...(requestSchema && {
      requestBody: {
        required: operation.isBodyOptional !== true,
        content: { "application/json": { schema: z.toJSONSchema(requestSchema, { io: "input" }), example } },
      },
    }),
    responses: Object.fromEntries(
      Object.entries(operation.responses).map(([status, text]) => [
        status,
        describeResponse(text, /^[45]/.test(status) && status !== operation.unlikeErrors),
      ]),
    ),
  };
}

function describeResponse(description: string, isError: boolean): object {
  if (!isError) return { description };
  const schema = { $ref: "#/components/schemas/Error" };
  return { description, content: { "application/json": { schema } } };
}

/** Prefixed with the method if the path has several. */
function operationId({ method, path }: Operation): string {
  const id = path.replace(/[^a-z]+/gi, "_").replace(/^_|_$/g, "");
  const isShared = OPERATIONS.some((other) => other.path === path && other.method !== method);
  return isShared ? `${method}_${id}` : id;
}
