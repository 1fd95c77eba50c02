/**
 * The folder in which Hugging Face's libraries cache downloads.
 * @param variable reads an environment variable
 */
export function hubCacheOf(variable: (name: string) => string | undefined, home: string): string {
  return variable("HF_HUB_CACHE") ?? `${variable("HF_HOME") ?? `${home}/.cache/huggingface`}/hub`;
}
