// Writes src/api/schema.ts from the search API's own OpenAPI document:
//   python -m embedding_pipeline.api.openapi > openapi.json && npm run types -- openapi.json
import { readFileSync, writeFileSync } from "node:fs";
import openapiTS, { astToString } from "openapi-typescript";

const [source] = process.argv.slice(2);
if (!source) throw new Error("usage: npm run types -- OPENAPI.json (- reads standard input)");
const document = JSON.parse(readFileSync(source === "-" ? 0 : source, "utf8"));
const header = "// Generated from the API's OpenAPI document by `npm run types`; do not edit.\n\n";
const text = astToString(await openapiTS(document, { alphabetize: true }));
writeFileSync(new URL("../src/api/schema.ts", import.meta.url), header + text);
