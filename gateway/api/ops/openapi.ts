import { isOfMessages } from "../endpoints.ts";
import { bodySchema, type Operation } from "./operation.ts";
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
    components: { schemas: { Error: ERROR_SCHEMA, AnthropicError: ANTHROPIC_ERROR_SCHEMA } },
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

const ANTHROPIC_ERROR_SCHEMA = {
  type: "object",
  required: ["type", "error", "request_id"],
  properties: {
    type: { const: "error" },
    error: {
      type: "object",
      required: ["type", "message"],
      properties: { type: { type: "string" }, message: { type: "string" } },
    },
    request_id: { type: "string" },
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
        content: {
          [operation.isForm ? "multipart/form-data" : "application/json"]: {
            schema: bodySchema(requestSchema, operation),
            example,
          },
        },
      },
    }),
    responses: Object.fromEntries(
      Object.entries(operation.responses).map(([status, text]) => [
        status,
        describeResponse(text, isError(status, operation) ? errorNameOf(operation) : undefined),
      ]),
    ),
  };
}

const isError = (status: string, { unlikeErrors }: Operation) =>
  /^[45]/.test(status) && status !== unlikeErrors;

const errorNameOf = ({ path }: Operation) => (isOfMessages(path) ? "AnthropicError" : "Error");

/** @param errorName the schema of its body, if it is an error */
function describeResponse(description: string, errorName: string | undefined): object {
  if (errorName === undefined) return { description };
  const schema = { $ref: `#/components/schemas/${errorName}` };
  return { description, content: { "application/json": { schema } } };
}

/** Prefixed with the method if the path has several. */
function operationId({ method, path }: Operation): string {
  const id = path.replace(/[^a-z]+/gi, "_").replace(/^_|_$/g, "");
  const isShared = OPERATIONS.some((other) => other.path === path && other.method !== method);
  return isShared ? `${method}_${id}` : id;
}
