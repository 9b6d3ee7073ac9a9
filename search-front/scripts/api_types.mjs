// Writes src/api/schema.ts from the search API's own OpenAPI document (`make front-types`);
// a second argument names another file to write.
import { readFileSync, writeFileSync } from "node:fs";
import { text as textOf } from "node:stream/consumers";
import openapiTS, { astToString } from "openapi-typescript";

const [source, target] = process.argv.slice(2);
if (!source) throw new Error("usage: npm run types -- OPENAPI.json [TARGET] (- reads standard input)");
const document = JSON.parse(
  source === "-" ? await textOf(process.stdin) : readFileSync(source, "utf8"),
);
const header = "// Generated from the API's OpenAPI document by `npm run types`; do not edit.\n\n";
const text = astToString(await openapiTS(document, { alphabetize: true }));
writeFileSync(target ?? new URL("../src/api/schema.ts", import.meta.url), header + text);
