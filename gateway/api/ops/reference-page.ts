import { html, raw } from "hono/html";
import { bodySchema, type Operation } from "./operation.ts";
import { OPERATIONS } from "./operations.ts";

interface JsonSchema {
  description?: string;
  type?: string | string[];
  anyOf?: JsonSchema[];
  items?: JsonSchema;
  enum?: unknown[];
  const?: unknown;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  maxItems?: number;
}

/**
 * The API reference as one page without scripts, from the same source as `/openapi.json`.
 * @param model a model's name for the examples
 * @param origin the gateway's address as the reader reached it, for the examples
 */
export function referencePage(model: string, origin: string) {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>Stator API</title>
        <style>
          ${raw(STYLE)}
        </style>
      </head>
      <body>
        <header>
          <h1>Stator API</h1>
          <p>OpenAI-compatible: point any OpenAI SDK at <code>/v1</code> on this address. The machine-readable
          description is <a href="/openapi.json">openapi.json</a>.</p>
        </header>
        <nav>
          ${OPERATIONS.map((operation) => html`<a href="#${anchor(operation)}"><b>${operation.method}</b> ${operation.path}</a>`)}
        </nav>
        <main>${OPERATIONS.map((operation) => section(operation, model, origin))}</main>
      </body>
    </html>`;
}

const anchor = ({ method, path }: Operation) => `${method}${path.replace(/[^a-z0-9]+/gi, "-")}`;

function section(operation: Operation, model: string, origin: string) {
  const schema = operation.requestSchema && (bodySchema(operation.requestSchema, operation) as JsonSchema);
  return html`<section id="${anchor(operation)}">
    <h2><b>${operation.method}</b> ${operation.path}</h2>
    <p>${operation.summary}. ${withCode(operation.description)}</p>
    ${operation.example && html`<pre>${curl(origin, operation, operation.example, model)}</pre>`}
    ${schema && parameterTable(schema)}
    <h3>Responses</h3>
    <table>
      ${Object.entries(operation.responses).map(([status, text]) => html`<tr><td><code>${status}</code></td><td>${withCode(text)}</td></tr>`)}
    </table>
  </section>`;
}

/** Formats text between backticks as code. */
function withCode(text: string) {
  return text.split("`").map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : part));
}

function curl(origin: string, { path, isForm }: Operation, example: object, model: string): string {
  const url = origin + path;
  if (isForm) {
    const fields = Object.entries(example).map(([name, value]) =>
      name === "file" ? `-F file=@${value}` : `-F ${name}=${value === "MODEL" ? model : value}`,
    );
    return `curl ${url} ${fields.join(" ")}`;
  }
  const body = JSON.stringify(example, null, 2).replace("MODEL", model);
  return `curl ${url} -H 'content-type: application/json' -d '${body}'`;
}

function parameterTable(schema: JsonSchema) {
  const required = new Set(schema.required);
  const rows = Object.entries(schema.properties ?? {})
    .sort(([a], [b]) => Number(required.has(b)) - Number(required.has(a)))
    .flatMap(([name, property]) => [[name, property] as const, ...nestedRows(name, property)]);
  return html`<h3>Parameters</h3>
    <table>
      <tr><th>name</th><th>type</th><th>range</th><th>meaning</th></tr>
      ${rows.map(
        ([name, property]) => html`<tr>
          <td><code>${name}</code>${required.has(name) ? html` <em>required</em>` : ""}</td>
          <td>${typeText(property)}</td>
          <td>${rangeText(property)}</td>
          <td>${property.description}</td>
        </tr>`,
      )}
    </table>`;
}

/** The properties of an object, as `object.property`. */
function nestedRows(name: string, schema: JsonSchema): (readonly [string, JsonSchema])[] {
  const { properties } = schema.anyOf?.find((member) => member.properties) ?? schema;
  return Object.entries(properties ?? {}).map(([key, property]) => [`${name}.${key}`, property]);
}

function typeText(schema: JsonSchema): string {
  if (schema.anyOf) {
    const types = schema.anyOf.map(typeText).filter((type) => type !== "");
    return [...new Set(types)].join(" or ");
  }
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === "array") return `list of ${schema.items ? typeText(schema.items) : "anything"}`;
  const types = [schema.type ?? "anything"].flat().filter((type) => type !== "null");
  return types.join(" or ");
}

function rangeText(schema: JsonSchema): string {
  if (schema.anyOf) return [...new Set(schema.anyOf.map(rangeText))].filter(Boolean).join("; ");
  const low = schema.exclusiveMinimum !== undefined ? `above ${schema.exclusiveMinimum}` : schema.minimum;
  const isBounded = schema.maximum !== undefined && schema.maximum < Number.MAX_SAFE_INTEGER;
  if (isBounded) return `${low} to ${schema.maximum}`;
  if (schema.maxItems !== undefined) return `at most ${schema.maxItems}`;
  return low === undefined || low === Number.MIN_SAFE_INTEGER ? "" : `${low} or more`;
}

const STYLE = `
  :root { color-scheme: light dark; --line: #8884; --accent: #0a7d6c; }
  body { font: 16px/1.55 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 2rem 1.25rem 6rem; }
  h1 { margin: 0; } h2 { margin-top: 3rem; font-size: 1.3rem; } h3 { font-size: 1rem; margin-bottom: .4rem; }
  b { color: var(--accent); text-transform: uppercase; font-size: .8em; letter-spacing: .04em; }
  nav { display: flex; flex-wrap: wrap; gap: .4rem 1.4rem; padding: .8rem 0; border-block: 1px solid var(--line); }
  a { color: inherit; } nav a { text-decoration: none; } nav a:hover { text-decoration: underline; }
  code, pre { font: .88em/1.5 ui-monospace, monospace; } code { background: #8882; padding: .1em .3em; border-radius: 4px; }
  pre { background: #8882; padding: .9rem 1.1rem; border-radius: 8px; overflow-x: auto; }
  table { border-collapse: collapse; width: 100%; font-size: .93rem; }
  th, td { text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line); }
  em { color: var(--accent); font-size: .85em; }
`;
