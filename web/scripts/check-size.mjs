// The first load of the inbox may cost 250 kB of gzipped JavaScript: all that its entry, its screen and one language bring along.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const LIMIT = 250_000;
const manifest = JSON.parse(readFileSync("dist/.vite/manifest.json", "utf8"));
const files = new Set();

function add(name) {
  const chunk = manifest[name];
  if (!chunk) throw new Error(`${name} is not in the build: has it been renamed?`);
  if (files.has(chunk.file)) return;
  files.add(chunk.file);
  for (const imported of chunk.imports ?? []) add(imported);
}

for (const name of ["index.html", "src/features/inbox/InboxPage.tsx", "src/i18n/es/index.ts"]) add(name);
const sizes = [...files].map((file) => [gzipSync(readFileSync(`dist/${file}`), { level: 9 }).length, file]);
const total = sizes.reduce((sum, [size]) => sum + size, 0);
for (const [size, file] of sizes.sort((a, b) => b[0] - a[0]))
  console.log(`${String(size).padStart(8)}  ${file}`);
console.log(`${String(total).padStart(8)}  of ${LIMIT}`);
if (total > LIMIT) {
  console.error("The first load of the inbox is too large: load what is not seen at once lazily.");
  process.exit(1);
}
