// Typed calls of the HTTP API of mashup-worker.

import createClient from "openapi-fetch";
import type { components, paths } from "./schema.d.ts";

export type Schemas = components["schemas"];
export type Client = ReturnType<typeof connect>;

const ENDED = ["completed", "failed", "canceled"];

/** Error of a call, with the problem document of the answer. */
export class ProblemError extends Error {
  readonly problem: Schemas["Problem"];

  constructor(problem: Schemas["Problem"]) {
    super(problem.detail);
    this.problem = problem;
  }
}

/** Return a client for the public address of an API and a token. */
export function connect(baseUrl: string, token: string) {
  return createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });
}

/** Return the document that a call answers, or throw its problem. */
export async function result<Data, Problem extends Schemas["Problem"]>(
  call: Promise<{ data?: Data; error?: Problem }>,
): Promise<NonNullable<Data>> {
  const { data, error } = await call;
  if (error) throw new ProblemError(error);
  return data!;
}

/** Body of an upload: pass it on as `bodySerializer`. */
export function form(body: Record<string, Blob>): FormData {
  const fields = new FormData();
  for (const [name, value] of Object.entries(body)) fields.set(name, value);
  return fields;
}

/** Yield the state of a job and its changes until it ends; connects again after interruptions. */
export async function* follow(api: Client, jobId: string): AsyncGenerator<Schemas["JobEvent"]> {
  let last: string | undefined;
  for (;;) {
    const { data, error, response } = await api.GET("/api/jobs/{job_id}/events", {
      params: { path: { job_id: jobId }, header: last ? { "Last-Event-ID": last } : {} },
      parseAs: "stream",
    });
    if (error) throw new ProblemError(error);
    if (response.status === 204 || !data) return;
    try {
      for await (const [id, event] of events(data)) {
        last = id;
        yield event;
        if (ENDED.includes(event.status)) return;
      }
    } catch (interruption) {
      if (!(interruption instanceof TypeError)) throw interruption; // fetch throws these
    }
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
}

/** Return a job after its end; throws if it did not complete. */
export async function completed(api: Client, jobId: string): Promise<Schemas["JobDocument"]> {
  for await (const _ of follow(api, jobId));
  const path = { job_id: jobId };
  const job = await result(api.GET("/api/jobs/{job_id}", { params: { path } }));
  if (job.status !== "completed") throw new Error(`job ${jobId}: ${job.error_message ?? job.status}`);
  return job;
}

async function* events(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<[string, Schemas["JobEvent"]]> {
  let text = "";
  for await (const part of stream.pipeThrough(new TextDecoderStream())) {
    const blocks = (text + part).split("\n\n");
    text = blocks.pop()!;
    for (const block of blocks) {
      const fields = new Map(
        block.split("\n").map((line) => line.split(/: ?(.*)/s, 2) as [string, string]),
      );
      const data = fields.get("data");
      if (data) yield [fields.get("id") ?? "", JSON.parse(data)];
    }
  }
}
