// Usage: node audit.mjs URL TOKEN [CA.pem]
// Runs the server audits of the npm package graphql-http and prints what failed, by level. Ends with 1 on a MUST failure.
import { spawnSync } from "node:child_process";
import process from "node:process";
import { serverAudits } from "graphql-http";

const [url, token, ca] = process.argv.slice(2);
if (!url || !token) {
  console.error("Usage: node audit.mjs URL TOKEN [CA.pem]");
  process.exit(2);
}

// Node reads extra certificate authorities at its start only.
if (ca && process.env.NODE_EXTRA_CA_CERTS !== ca) {
  const again = spawnSync(process.execPath, process.argv.slice(1), {
    stdio: "inherit",
    env: { ...process.env, NODE_EXTRA_CA_CERTS: ca },
  });
  process.exit(again.status ?? 2);
}

const fetchSignedIn = (input, init = {}) => {
  const headers = new Headers(init.headers);
  headers.set("Authorization", `Bearer ${token}`);
  return fetch(input, { ...init, headers });
};

const levels = { MUST: [0, 0], SHOULD: [0, 0], MAY: [0, 0] };
for (const audit of serverAudits({ url, fetchFn: fetchSignedIn })) {
  const level = audit.name.split(" ")[0];
  const result = await audit.fn();
  levels[level][1]++;
  if (result.status === "ok") {
    levels[level][0]++;
  } else {
    console.log(`${result.status.toUpperCase()} ${audit.name} (${audit.id}): ${result.reason}`);
  }
}

for (const [level, [passed, all]] of Object.entries(levels)) {
  console.log(`${level}: ${passed}/${all}`);
}
process.exit(levels.MUST[0] === levels.MUST[1] ? 0 : 1);
