/** What workerd hands over for a compiled module. */
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}

/** The worker's bindings, before any request. */
declare module "cloudflare:workers" {
  export const env: Readonly<Record<string, unknown>>;
}
