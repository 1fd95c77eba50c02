/**
 * Where Hugging Face's libraries keep what they have fetched.
 * @param variable the value of an environment variable
 */
export function hubCacheOf(variable: (name: string) => string | undefined, home: string): string {
  return variable("HF_HUB_CACHE") ?? `${variable("HF_HOME") ?? `${home}/.cache/huggingface`}/hub`;
}
