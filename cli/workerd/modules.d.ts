/** workerd provides a compiled module. */
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}

/** The worker's bindings, available before any request. */
declare module "cloudflare:workers" {
  export const env: Readonly<Record<string, unknown>>;
}
