/** Queue: queues, worker processes and the jobs of all users, for operators. */

import { useState } from "preact/hooks";

import { get } from "../api.js";
import { EmptyState } from "../components/empty.js";
import { ErrorNote } from "../components/error.js";
import { Page } from "../components/page.js";
import { html } from "../html.js";
import { usePolling } from "../polling.js";
import { JobList } from "../queue/job-list.js";
import { Processes } from "../queue/processes.js";
import { Queues } from "../queue/queues.js";
import { Throughput } from "../queue/throughput.js";
import { isOperator } from "../state.js";
import { texts } from "../texts.js";

/** @import {Fleet} from "../queue/types.js" */

const REFRESH_MS = 3_000;

export default function Queue() {
  if (isOperator.value) return html`<${Operator} />`;
  return html`<${Page} title=${texts.queue.title}>
    <${EmptyState} icon="queue" title=${texts.queue.forbidden} text=${texts.queue.forbiddenText} />
  <//>`;
}

function Operator() {
  const [fleet, setFleet] = useState(/** @type {Fleet | null} */ (null));
  const { error, refresh } = usePolling(
    async (signal) => setFleet(await get("/api/fleet", { signal })),
    REFRESH_MS,
    [],
  );
  return html`<${Page} title=${texts.queue.title} busy=${!fleet && !error}>
    <div class="queue">
      ${error && html`<${ErrorNote} error=${error} onRetry=${refresh} />`}
      ${
        fleet
          ? html`
            <${Queues} queues=${fleet.queues} onChange=${refresh} />
            <${Processes} fleet=${fleet} />
            <${Throughput} throughput=${fleet.throughput} />
          `
          : !error && html`<div class="skeleton queue-skeleton"></div>`
      }
      ${(fleet || error) && html`<${JobList} />`}
    </div>
  <//>`;
}
