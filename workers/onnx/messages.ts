/** A request to a thread that computes; several with the same id are sent one after another. */
export interface ThreadRequest {
  readonly kind: string;
  readonly id: number;
}

/** Messages to the thread, which handles them in order. */
export type ToThread<Request extends ThreadRequest> = Request | { readonly kind: "close" };

/** Messages from the thread: first whether its model is loaded, then answers. */
export type FromThread<Part, Result> =
  | { readonly kind: "ready" }
  | { readonly kind: "unready"; readonly message: string }
  /** What comes before the result, such as text as it is heard. */
  | { readonly kind: "part"; readonly id: number; readonly part: Part }
  | { readonly kind: "done"; readonly id: number; readonly result: Result }
  | {
      readonly kind: "failed";
      readonly id: number;
      readonly message: string;
      /** What is wrong with the request, if that is to blame. */
      readonly refusal: string | undefined;
    };
