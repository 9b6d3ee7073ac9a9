// Prints the gzipped size of the built page and fails above the limit that docs/front.md names.
import { readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const LIMIT_BYTES = 70_000;
const assets = new URL("../dist/assets/", import.meta.url);
const sizes = readdirSync(assets).map((name) => {
  const bytes = readFileSync(new URL(name, assets));
  return { name, raw: bytes.length, gzip: gzipSync(bytes).length };
});
for (const { name, raw, gzip } of sizes) console.log(`${name}: ${raw} bytes, ${gzip} gzipped`);
const script = sizes.filter(({ name }) => name.endsWith(".js")).reduce((sum, s) => sum + s.gzip, 0);
console.log(`script in total: ${script} bytes gzipped, limit ${LIMIT_BYTES}`);
if (script > LIMIT_BYTES) process.exit(1);
