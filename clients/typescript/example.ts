// Mixes the vocals of one song with another song: node example.ts one.mp3 other.mp3

import { randomUUID } from "node:crypto";
import { openAsBlob } from "node:fs";
import { basename } from "node:path";
import { completed, connect, follow, form, result } from "./client.ts";

const api = connect(process.env.MASHUP_API_URL!, process.env.MASHUP_API_TOKEN!);

async function upload(path: string): Promise<string> {
  const file = new File([await openAsBlob(path)], basename(path));
  return (await result(api.POST("/api/upload", { body: { file }, bodySerializer: form }))).key;
}

const [one, other] = await Promise.all(process.argv.slice(2, 4).map(upload));
if (!one || !other) throw new Error("usage: node example.ts SONG SONG");

// A request that is repeated with the same key returns the same job.
const header = { "Idempotency-Key": randomUUID() };
const separation = api.POST("/api/audio/separate", { params: { header }, body: { audio: one } });
const { jobId } = await result(separation);
for await (const { status, stage, progress } of follow(api, jobId)) {
  console.error(`${status} ${stage ?? ""} ${progress} %`);
}


const { output_data: separated } = await completed(api, jobId);
if (!separated || !("stems" in separated)) throw new Error(`job ${jobId}: no stems`);
for (const { kind, url } of separated.stems) console.error(kind, url);
const vocals = separated.stems.find(({ kind }) => kind === "vocals")!;

const stems = [{ kind: "vocals", audio: vocals.key }, { kind: "mix", audio: other }];
const mashup = await result(api.POST("/api/mashup/ai", { body: { stems } }));
const { output_data: mixed } = await completed(api, mashup.jobId);
if (mixed && "audio" in mixed) console.log(mixed.audio.url);
