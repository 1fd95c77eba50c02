/** When requests of an API are translated to chat completions: `auto` if one of the engines lacks the API. */
export type TranslateWhen = "auto" | "always" | "never";
