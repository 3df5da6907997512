/**
 * Calls the API through the types that openapi-typescript generates, and prints what it got as JSON.
 *
 *     node caller.ts MESSAGE_TO_CANCEL
 *
 * The environment holds API_URL, AWS_REGION and the caller's credentials.
 */
import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";

import { SignatureV4 } from "@smithy/signature-v4";
import createClient from "openapi-fetch";

import type { components, paths } from "./api.ts";

type Accepted = components["schemas"]["Accepted"];
type Refusal = components["schemas"]["Refusal"];
type Record = components["schemas"]["Record"];

const PATIENCE_SECONDS = 60;

function setting(name: string): string {
  const value = process.env[name];
  assert(value, `${name} is not set`);
  return value;
}

type Data = string | ArrayBuffer | ArrayBufferView;

class Sha256 {
  readonly #hash;

  constructor(secret?: Data) {
    this.#hash = secret === undefined ? createHash("sha256") : createHmac("sha256", bytes(secret));
  }

  update(data: Data): void {
    this.#hash.update(bytes(data));
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
}

function bytes(data: Data): string | Uint8Array {
  if (typeof data === "string") return data;
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}

const signer = new SignatureV4({
  service: "execute-api",
  region: setting("AWS_REGION"),
  credentials: {
    accessKeyId: setting("AWS_ACCESS_KEY_ID"),
    secretAccessKey: setting("AWS_SECRET_ACCESS_KEY"),
  },
  sha256: Sha256,
});

const client = createClient<paths>({
  baseUrl: setting("API_URL"),
  fetch: async (request) => {
    const url = new URL(request.url);
    const body = request.method === "GET" ? undefined : await request.text();
    const signed = await signer.sign({
      method: request.method,
      protocol: url.protocol,
      hostname: url.hostname,
      port: Number(url.port),
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: { ...Object.fromEntries(request.headers), host: url.host },
      body,
    });
    return fetch(url, { method: request.method, headers: signed.headers, ...(body && { body }) });
  },
});

/** Returns the id of an accepted run. A record in its place is of a run that has finished. */
function accepted(answer: { data?: Accepted | Record; error?: Refusal }): string {
  assert(answer.data && "status_url" in answer.data, JSON.stringify(answer));
  return answer.data.pipeline_id;
}

function refused(answer: { error?: Refusal; response: Response }): [number, string] {
  assert(answer.error, `HTTP ${answer.response.status}`);
  return [answer.response.status, answer.error.error.code];
}

async function finished(pipelineId: string): Promise<Record> {
  const until = performance.now() + PATIENCE_SECONDS * 1_000;
  while (performance.now() < until) {
    const { data, error } = await get(pipelineId);
    assert(data, JSON.stringify(error));
    if (data.status === "SUCCEEDED" || data.status === "FAILED") return data;
    await pause(100);
  }
  throw new Error(`${pipelineId} did not finish`);
}

function get(pipelineId: string) {
  return client.GET("/pipeline/{pipeline_id}", { params: { path: { pipeline_id: pipelineId } } });
}

function cancel(pipelineId: string) {
  return client.DELETE("/pipeline/{pipeline_id}", { params: { path: { pipeline_id: pipelineId } } });
}

async function pages(limit: number): Promise<string[][]> {
  const found: string[][] = [];
  let next: string | null | undefined;
  do {
    const { data, error } = await client.GET("/pipelines", {
      params: { query: { limit, ...(next && { next }) } },
    });
    assert(data, JSON.stringify(error));
    found.push(data.pipelines.map((listed) => listed.pipeline_id));
    next = data.next;
  } while (next);
  return found;
}

const body = { user_message: "What is a queue?" };
const header = { "Idempotency-Key": "order-1" };
const first = accepted(await client.POST("/pipeline", { body, params: { header } }));
const repeated = accepted(await client.POST("/pipeline", { body, params: { header } }));
const second = accepted(
  await client.POST("/pipeline", {
    body: {
      messages: [
        { role: "user", text: "What is a queue?" },
        { role: "assistant", text: "A line." },
        { role: "user", text: "And a bus?" },
      ],
    },
  }),
);
const answers = [await finished(first), await finished(second)].map((record) => record.final_response);
const waited = (await client.POST("/pipeline", { body, params: { header: { Prefer: "wait=20" } } })).data;
assert(waited && !("status_url" in waited), JSON.stringify(waited));
const doomed = accepted(await client.POST("/pipeline", { body: { user_message: process.argv[2] ?? "" } }));
const cancelled = accepted(await cancel(doomed));
const failed = await finished(cancelled);
const report = {
  ids: [first, second, waited.pipeline_id, doomed],
  repeated,
  answers,
  waited: [waited.status, waited.final_response],
  cancelled: [cancelled, failed.status, failed.error],
  pages: await pages(3),
  blank: refused(await client.POST("/pipeline", { body: { user_message: " " } })),
  unknown: refused(await get("nobody-has-this-id")),
  "too late": refused(await cancel(first)),
};
console.log(JSON.stringify(report));
