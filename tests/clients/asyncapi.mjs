/**
 * Reads AsyncAPI documents with the AsyncAPI Initiative's parser, and prints what it found in each as JSON.
 *
 *     node asyncapi.mjs DOCUMENT…
 *
 * The parser checks no examples of AsyncAPI 3, so Ajv does, against the schemas as the parser resolved them.
 */
import { readFile } from "node:fs/promises";

import { Parser } from "@asyncapi/parser";
import Ajv from "ajv";

const parser = new Parser();
const reports = [];
for (const path of process.argv.slice(2)) {
  const { document, diagnostics } = await parser.parse(await readFile(path, "utf8"));
  const examples = {};
  for (const message of document?.allMessages() ?? []) {
    const ajv = new Ajv({ allErrors: true, strict: false, validateFormats: false });
    const isValid = ajv.compile(message.payload().json());
    const payloads = message.examples().all().map((example) => example.payload());
    examples[message.name()] = payloads.map((payload) => (isValid(payload) ? [] : isValid.errors));
  }
  reports.push({ findings: diagnostics.map(({ code, severity }) => ({ code, severity })), examples });
}
console.log(JSON.stringify(reports));
