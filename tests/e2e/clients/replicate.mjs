// Separations with npm `replicate`; prints what came back.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import Replicate, { parseProgressFromLogs, validateWebhook } from "replicate";

const { API_HOST, API_TOKEN, SONG, LONG_SONG, RYAN } = process.env;
const client = new Replicate({ auth: API_TOKEN, baseUrl: `${API_HOST}/v1` });
const song = await readFile(SONG);
const found = {};

async function sizes(output) {
  const entries = Object.entries(output).map(async ([kind, file]) => [
    kind,
    file && (await file.blob()).size,
  ]);
  return Object.fromEntries(await Promise.all(entries));
}

// Run, with the song as an uploaded file.
const seen = [];
const output = await client.run(`ryan5453/demucs:${RYAN}`, { input: { audio: song } }, (one) =>
  seen.push(one.status),
);
found.run = await sizes(output);
found.last_seen = seen.at(-1);

// Run with a wait that ends before the song is separated: the client polls then.
const polled = await client.run(`ryan5453/demucs:${RYAN}`, {
  input: { audio: await readFile(LONG_SONG), output_format: "mp3" },
  wait: { mode: "block", timeout: 1 },
});
found.polled = Object.keys(polled).sort();

// Run a model without a version, with the song as a data URL.
const dataUrl = `data:audio/wav;base64,${song.toString("base64")}`;
found.data_url = await sizes(
  await client.run("cjwbw/demucs", {
    input: { audio: dataUrl, stem: "vocals", output_format: "flac" },
  }),
);

// Upload, create, poll, and read the progress.
const file = await client.files.create(new File([song], "song.wav", { type: "audio/wav" }));
let prediction = await client.predictions.create({
  version: RYAN,
  input: { audio: file.urls.get, output_format: "wav" },
});
found.created = prediction.status;
prediction = await client.wait(prediction, { interval: 200 });
found.waited = prediction.status;
found.progress = parseProgressFromLogs(prediction).percentage;
found.predict_time = prediction.metrics.predict_time;
found.output = prediction.output;

// Files.
found.file = [file.name, file.size, file.checksums.sha256, (await client.files.get(file.id)).id];
const listed = async () => (await client.files.list()).results.some((one) => one.id === file.id);
found.listed_file = await listed();
found.deleted_file = await client.files.delete(file.id);
found.left_file = await listed();

// Cancel.
const long = await client.predictions.create({
  version: RYAN,
  input: { audio: await readFile(LONG_SONG) },
});
found.canceled = (await client.wait(await client.predictions.cancel(long.id))).status;

// Lists, models and versions.
const newest = [];
for await (const page of client.paginate(client.predictions.list)) {
  newest.push(...page.map((one) => one.id));
}
found.listed = newest[0] === long.id && newest[1] === prediction.id;
const model = await client.models.get("ryan5453", "demucs");
found.latest = model.latest_version.id;
const versions = await client.models.versions.list("ryan5453", "demucs");
found.versions = versions.results.map((one) => one.id);

// Webhook.
const { key } = await client.webhooks.default.secret.get();
const received = new Promise((resolve) => {
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += part;
    response.writeHead(204).end();
    const valid = await validateWebhook({ headers: request.headers, body }, key);
    server.close();
    resolve(valid && JSON.parse(body));
  });
  server.listen(0, "127.0.0.1", async () => {
    const hook = `http://127.0.0.1:${server.address().port}/hook`;
    found.hooked = await client.predictions.create({
      version: RYAN,
      input: { audio: song },
      webhook: hook,
      webhook_events_filter: ["completed"],
    });
  });
});
const hook = await received;
found.webhook = hook.id === found.hooked.id && hook.status === "succeeded";

// Errors.
const failure = async (work) => {
  try {
    await work();
  } catch (error) {
    return [error.response.status, error.message];
  }
};
found.wrong_base_url = await failure(() =>
  new Replicate({ auth: "x", baseUrl: API_HOST }).predictions.list(),
);
found.unknown_model = await failure(() =>
  client.run(`ryan5453/demucs:${RYAN}`, { input: { audio: "https://a.test/x", model: "unknown" } }),
);

console.log(JSON.stringify(found));
