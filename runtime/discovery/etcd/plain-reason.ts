/** The reason in an error message of gRPC or etcd, without their prefixes, and what to do if that is known. */
export function plainReason(message: string): string {
  const connecting = /No connection established\. Last error: (?:Error: )?(.*?)\.? Resolution note:/s.exec(
    message,
  );
  const text = connecting?.[1] ?? message.replace(/^\d+ [A-Z_]+: /, "").replace(/^etcdserver: /, "");
  const line = text.replaceAll(/\s+/g, " ").trim();
  if (/^deadline exceeded/i.test(line)) return "it does not answer in time";
  if (line === "" || line === "null" || line === "undefined") return "no connection";
  if (line.includes("user name is empty"))
    return `${line}: write USER:PASSWORD@ before the host in the URL, because etcd requires a login`;
  return line;
}
