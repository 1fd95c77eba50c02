import type { Logger } from "#runtime";
import type { Codec, Schema } from "./codec.ts";

/** What an endpoint is told of a request. */
export interface ServiceContext {
  /** Aborted when the client cancels, disconnects, or the deadline passes. */
  readonly signal: AbortSignal;
  /** The id of the request in the logs of both sides. */
  readonly requestId: string;
  /** The name of this instance. */
  readonly instance: string;
  readonly log: Logger;
}

/** Answers a request with one value, or with a stream of them. */
export type Handle<Request = never, Item = unknown> = (
  request: Request,
  context: ServiceContext,
) => AsyncIterable<Item> | Promise<Item>;

/** An endpoint whose values are checked, or travel in another form. */
export interface TypedEndpoint<Request, Item, Answer extends AsyncIterable<Item> | Promise<Item>> {
  /** A zod schema, or a codec such as `protobuf(MessageSchema)`. */
  readonly request?: Codec<Request> | Schema<Request>;
  readonly response?: Codec<Item> | Schema<Item>;
  readonly handle: (request: Request, context: ServiceContext) => Answer;
}

/** Any such endpoint. */
export interface AnyTypedEndpoint {
  readonly request?: Codec<unknown> | Schema<unknown>;
  readonly response?: Codec<unknown> | Schema<unknown>;
  readonly handle: Handle;
}

export type Endpoint = Handle | AnyTypedEndpoint;

export type Endpoints = Readonly<Record<string, Endpoint>>;

export interface ServiceDefinition<Own extends Endpoints = Endpoints> {
  /** Letters, digits, `-`, `_` and `.`; by it clients find the service. */
  readonly name: string;
  readonly endpoints: Own;
}

/**
 * Defines a service: any program that others call, over the same discovery and request plane as models' workers.
 *
 * @throws TypeError for a name that is not one
 * @example
 * export const hello = defineService({
 *   name: "hello",
 *   endpoints: {
 *     async *greet(names: string[]) {
 *       for (const name of names) yield `Hello, ${name}!`;
 *     },
 *   },
 * });
 */
export function defineService<const Own extends Endpoints>(
  definition: ServiceDefinition<Own>,
): ServiceDefinition<Own> {
  for (const name of [definition.name, ...Object.keys(definition.endpoints)])
    if (!/^[\w.-]{1,128}$/.test(name))
      throw new TypeError(`'${name}' is no name: use letters, digits, '-', '_' and '.'.`);
  return definition;
}

/** An endpoint with its types. Only TypeScript needs it, to infer them. */
export const endpoint = <Request, Item, Answer extends AsyncIterable<Item> | Promise<Item>>(
  typed: TypedEndpoint<Request, Item, Answer>,
): TypedEndpoint<Request, Item, Answer> => typed;

/** The endpoint's handler and types, however it is written. */
export const typedEndpoint = (given: Endpoint): AnyTypedEndpoint =>
  typeof given === "function" ? { handle: given } : given;
