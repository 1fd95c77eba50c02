/** Responses of every route. */
export const ANY = {
  "400": "The request is not valid HTTP, or has an unknown query parameter.",
  "408": "The request took too long to arrive.",
  "431": "The request's headers are larger than --header-limit.",
  "500": "The gateway itself failed; its log has the details under the request's id.",
  "508": "The request looped back to this gateway: an attached engine's address leads here.",
};

/** Responses of routes that require authorization. */
export const GUARDED = {
  ...ANY,
  "401": "The gateway requires a key (--keys), and the request has none or an unknown one.",
  "403": "The key may not do this; without keys, the request's Host or Origin is not allowed.",
};

/** Responses of routes that take JSON. */
export const TAKES_JSON = {
  ...GUARDED,
  "400": "A parameter is missing, of the wrong type or out of range; `param` is its path.",
  "413": "The body is larger than --body-limit.",
  "415": "The content type is not application/json, or the body is compressed.",
};

/** Responses of routes that take a model's name. */
export const TAKES_MODEL = {
  "404": "The model does not exist; the message suggests the nearest one.",
  "503": "No worker has joined and no engine has been reached yet; `retry-after` says when to retry.",
};

/** Responses of routes that models answer. */
export const ANSWERS = {
  ...TAKES_JSON,
  ...TAKES_MODEL,
  "429": "The key has used up its requests or tokens for this minute; `retry-after` says when to retry.",
  "502": "The worker or engine failed.",
  "503": "No worker is ready, all are busy, or the queue is full; `retry-after` says when to retry.",
  "504": "The answer was not complete within --request-timeout, or within the request's own deadline.",
  default: "An attached engine's own answer, unchanged.",
};

/** The same for a route that takes a form. */
export const FORM_ANSWERS = {
  ...ANSWERS,
  "415": "The content type is not multipart/form-data.",
};
