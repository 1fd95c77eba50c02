/**
 * Whether a `Host` header is an IP address or `localhost`: a name that no web page can have. A page that makes its own
 * name resolve to this machine (DNS rebinding) sends that name.
 */
export function isUnforgeableHost(header: string | undefined): boolean {
  const host = (header ?? "").replace(/:\d+$/, "");
  return /^(([\w-]+\.)*localhost\.?|\d+\.\d+\.\d+\.\d+|\[[\da-f:.]+\])$/i.test(host);
}
