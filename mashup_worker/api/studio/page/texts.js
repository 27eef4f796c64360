/** All texts of the page. */

import { day, duration } from "./format.js";

/** @import {ApiError} from "./api.js" */

/** @typedef {{what: string, todo: string}} Words A problem, and what to do. */

/** @param {number} count @param {string} one @param {string} [many] */
const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

/** Names of job types, for a number of them. */
const JOB_NAMES = /** @type {Record<string, [string, string]>} */ ({
  separate: ["separation", "separations"],
  mashup: ["mashup", "mashups"],
  master: ["mastering", "masterings"],
  analyze: ["analysis", "analyses"],
});

/** @type {Record<string, Words>} */
const ERRORS = {
  offline: {
    what: "The server cannot be reached.",
    todo: "Check the network, or whether the server runs. The studio tries again.",
  },
  unauthenticated: { what: "You are not logged in.", todo: "Open a new login link." },
  forbidden: { what: "This login does not allow it.", todo: "Log in as another user." },
  not_found: { what: "Not found.", todo: "It was removed, or it belongs to someone else." },
  conflict: { what: "The state has changed meanwhile.", todo: "Load the page again." },
  too_large: { what: "The file is too large.", todo: "Upload a smaller file, such as an MP3." },
  too_long: { what: "The song is too long.", todo: "Upload a shorter part of it." },
  unsupported_audio: {
    what: "The file has no audio that can be read.",
    todo: "Convert it to MP3, WAV, FLAC, M4A or Ogg, and upload it again.",
  },
  invalid_input: { what: "The server refused the input.", todo: "Change it and try again." },
  unknown_model: { what: "The server lacks this model.", todo: "Choose another model." },
  fetch_failed: { what: "A file could not be fetched.", todo: "Try again, or upload the file." },
  fetch_refused: { what: "The address must not be read.", todo: "Upload the file instead." },
  rate_limited: { what: "Too many requests.", todo: "Wait a moment and try again." },
  quota_exceeded: { what: "The limit of your tier is reached.", todo: "Wait, or upgrade." },
  service_unavailable: { what: "The service is not available.", todo: "Try again shortly." },
  storage_failed: { what: "The file store is not available.", todo: "Try again shortly." },
  internal_error: {
    what: "The server failed.",
    todo: "Try again. If it fails again, report the time to the operator.",
  },
  out_of_memory: { what: "The worker ran out of memory.", todo: "Try again later." },
  device_lost: { what: "The worker lost its GPU.", todo: "Try again." },
  lease_lost: { what: "The worker stopped during the job.", todo: "Try again." },
  job_timeout: { what: "The job took too long.", todo: "Try again, or use a shorter song." },
  model_unavailable: {
    what: "The worker lacks the weights of the model.",
    todo: "Ask the operator to install them, then try again.",
  },
  failed: { what: "This failed.", todo: "Try again." },
};

/** Codes whose detail the server writes for users, and which tells more than the general words. */
const DETAILED = new Set([
  "conflict",
  "fetch_failed",
  "invalid_input",
  "quota_exceeded",
  "too_large",
  "too_long",
]);

/**
 * Return the words for a limit of a tier.
 * @param {import("./api.js").Quota} quota
 * @returns {Words}
 */
function quotaWords({ tier, job_type, limit, period, until, next_tier }) {
  const [one, many] = JOB_NAMES[job_type] ?? ["job", "jobs"];
  const wait = `wait until ${day(until)}, 00:00 UTC`;
  return {
    what: `The ${tier} tier includes ${limit ? plural(limit, one, many) : `no ${many}`} per ${period}.`,
    todo: next_tier
      ? limit
        ? `To continue, ${wait}, or upgrade to the ${next_tier} tier.`
        : `Upgrade to the ${next_tier} tier.`
      : `To continue, ${wait}.`,
  };
}

/**
 * Return the words for an error of a call or a job.
 * @param {{code: string, detail?: string, quota?: import("./api.js").Quota | null, retryAfterS?: number | null}} error
 * @returns {Words}
 */
function words({ code, detail, quota, retryAfterS }) {
  if (quota) return quotaWords(quota);
  const known = ERRORS[code] ?? ERRORS.failed;
  // The server writes `thing: problem; remedy`.
  const [problem, remedy] = detail && (DETAILED.has(code) || !ERRORS[code]) ? detail.split(/;\s+/, 2) : [];
  const todo = remedy ? sentence(remedy) : known.todo;
  return {
    what: problem ? sentence(problem) : known.what,
    todo: retryAfterS ? `Try again in ${plural(retryAfterS, "second")}.` : todo,
  };
}

/** @param {string} text Names of files keep their first letter. */
function sentence(text) {
  const start = /^[a-z]+[\s:,;]/.test(text) ? text.charAt(0).toUpperCase() : text.charAt(0);
  return `${start}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

export const texts = {
  studio: "Studio",
  /** @param {string} title */
  documentTitle: (title) => `${title} · Studio`,

  errors: {
    words,
    retry: "Try again",
    reload: "Load the page again",
    view: "This view could not be loaded.",
    lost: "Connection lost. Trying again…",
    offline: ERRORS.offline,
  },

  shell: {
    skip: "Skip to the content",
    navigation: "Views",
    songs: "Songs",
    stems: "Stems",
    mashup: "Mashup",
    queue: "Queue",
    logout: "Log out",
    theme: {
      system: "Theme: as the system. Change to light",
      light: "Theme: light. Change to dark",
      dark: "Theme: dark. Change to the system's",
    },
    /** @param {number} count */
    chosen: (count) => `${plural(count, "song or stem", "songs or stems")} chosen`,
    dismiss: "Dismiss",
    close: "Close",
    loading: "Loading…",
  },

  unknown: {
    title: "Page not found",
    text: "The studio has no page at this address.",
    back: "Show the songs",
  },

  login: {
    title: "Log in to the studio",
    ended: "Your session has ended. Log in again to continue here.",
    intro: "The studio opens with a login link, which works once and within 15 minutes.",
    local: "On this machine",
    localText: "The command that starts the service prints a link. To print another one:",
    command: "mashup studio-link",
    copy: "Copy",
    copied: "Copied",
    operator: "With --operator, the link also shows the queue of all users.",
    remote: "On a server",
    remoteText: "Ask the operator for a link, or open the studio from the app that you use.",
    paste: "Login link or code",
    pasteHint: "A link that opened in another browser can be pasted here.",
    submit: "Log in",
    checking: "Logging in…",
    refused: "This login link has been used or has expired.",
    refusedTodo: "Print a new one with the command below.",
    empty: "Paste a login link or its code.",
  },

  stages: /** @type {Record<string, string>} */ ({
    queued: "Waiting in the queue",
    processing: "Starting",
    decode: "Reading the file",
    separate: "Separating the stems",
    encode: "Writing the stems",
    measure: "Measuring loudness",
    harmony: "Finding the key",
    rhythm: "Finding tempo and beats",
    peaks: "Drawing waveforms",
    prepare: "Preparing the stems",
    plan: "Planning the arrangement",
    stretch: "Fitting tempo and key",
    mix: "Mixing",
    master: "Mastering",
    check: "Checking the result",
    analysis: "Analyzing the result",
    fetch: "Fetching the files",
    upload: "Storing the results",
  }),

  statuses: /** @type {Record<string, string>} */ ({
    queued: "Waiting",
    processing: "Running",
    completed: "Done",
    failed: "Failed",
    canceled: "Canceled",
  }),

  kinds: /** @type {Record<string, string>} */ ({
    mix: "Whole song",
    vocals: "Vocals",
    drums: "Drums",
    bass: "Bass",
    other: "Other",
    guitar: "Guitar",
    piano: "Piano",
    no_vocals: "Instrumental",
    no_drums: "Without drums",
    no_bass: "Without bass",
    no_other: "Without other",
    no_guitar: "Without guitar",
    no_piano: "Without piano",
  }),

  player: {
    /** @param {string} title */
    play: (title) => `Play ${title}`,
    /** @param {string} title */
    pause: (title) => `Pause ${title}`,
    /** @param {string} title */
    failed: (title) => `${title} cannot be played.`,
    /** @param {string} title */
    waveform: (title) => `Waveform of ${title}`,
    /** @param {number} seconds */
    position: (seconds) => duration(seconds),
    noWaveform: "No waveform",
  },

  choice: {
    add: "Add to mashup",
    added: "In the mashup",
    /** @param {string} title */
    addTitle: (title) => `Add ${title} to the mashup`,
    /** @param {string} title */
    removeTitle: (title) => `Remove ${title} from the mashup`,
    /** @param {string} title */
    notice: (title) => `${title} was added to the mashup.`,
  },

  songs: {
    title: "Songs",
    upload: "Upload songs",
    drop: "Drop songs here",
    formats: "MP3, WAV, FLAC, M4A or Ogg. Each song is separated into stems and analyzed.",
    chooseFiles: "Choose files",
    /**
     * Return the separations that the tier still includes; empty without a limit.
     * @param {{limits: {job_type: string, period: string, max_jobs: number | null, left: number | null}[]}} subscription
     */
    allowance({ limits }) {
      const limit = limits.find((one) => one.job_type === "separate");
      if (!limit || limit.max_jobs === null) return "";
      return `${limit.left} of ${plural(limit.max_jobs, "separation")} left ${limit.period === "day" ? "today" : `this ${limit.period}`}.`;
    },
    emptyTitle: "No songs yet",
    emptyText:
      "Drop a song above. You get its vocals, drums, bass and other instruments as stems, with tempo, beats and key.",
    more: "Show more songs",
    uploadStates: /** @type {Record<string, string>} */ ({
      waiting: "Waiting for other uploads",
      sending: "Uploading",
      checking: "Checking the file",
    }),
    notUploaded: "Not uploaded",
    notStarted: "Not started",
    open: "Open",
    cancel: "Cancel",
    canceling: "Canceling",
    remove: "Remove",
    canceledWords: { what: "Canceled.", todo: "Try again to separate the song." },
    camelot: "Position of the key on the Camelot wheel",
    noTempo: "Tempo unknown",
    noKey: "Key unknown",
    drifts: "(drifts)",
    corrected: "corrected",
    /** @param {string} name */
    uploadOf: (name) => `Upload of ${name}`,
    /** @param {string} title */
    progressOf: (title) => `Separation of ${title}`,
    /** @param {string} name */
    uploadFailed: (name) => `${name} was not uploaded.`,
    /** @param {string} title */
    failedNotice: (title) => `${title} could not be separated.`,
    /** @param {string} title */
    doneNotice: (title) => `${title} is ready.`,
  },

  song: {
    title: "Song",
    player: "Player",
    stems: "Stems",
    position: "Position",
    /** @param {string} time @param {{bar: number, beat: number} | null} place */
    place: (time, place) => (place ? `${time}, bar ${place.bar}, beat ${place.beat}` : time),
    /** @param {{bar: number, beat: number} | null} place */
    barAndBeat: (place) => (place ? `Bar ${place.bar}.${place.beat}` : "Before bar 1"),
    /** @param {string} total */
    of: (total) => `of ${total}`,
    play: "Play",
    pause: "Pause",
    toStart: "Go to the start",
    loop: "Loop",
    loopFrom: "First bar of the loop",
    loopTo: "Last bar of the loop",
    zoom: "Zoom",
    zoomIn: "Zoom in",
    zoomOut: "Zoom out",
    /** @param {number} zoom */
    zoomText: (zoom) => (zoom <= 1 ? "Whole song" : `${zoom.toFixed(1)} times`),
    scroll: "Scroll position",
    keys: "Keyboard",
    /** @param {string} name */
    mute: (name) => `Mute ${name}`,
    /** @param {string} name */
    solo: (name) => `Solo ${name}`,
    /** @param {number} number */
    muteKey: (number) => `Mute (${number})`,
    /** @param {number} number */
    soloKey: (number) => `Solo (Shift+${number})`,
    /** @param {string} name */
    volume: (name) => `Volume of ${name}`,
    /** @param {string} name */
    download: (name) => `Download ${name}`,
    /** @param {string} name */
    stemFailed: (name) => `${name} could not be loaded.`,
    loadAgain: "Load again",
    waits: /** @type {Record<string, string>} */ ({
      data: "Loading…",
      connection: "Connection lost. Playing continues when it is back.",
      login: "Your session has ended.",
      gesture: "The browser blocks sound until you press Play again.",
    }),
    /** @param {string} name */
    oneAtATime: (name) =>
      `One stem at a time, now ${name}: these files have no frame index, and are too long to play together.`,
    noStems: "This song has no stems",
    noStemsText: "Its files have expired or were removed. Upload the song again.",
  },

  keys: {
    on: "Single keys control the player",
    list: /** @type {[string[], string][]} */ ([
      [["Space"], "Play or pause"],
      [["←", "→"], "Previous or next beat"],
      [["Shift", "←", "→"], "Previous or next bar"],
      [["Home", "End"], "Start or end"],
      [["1–6"], "Mute a stem"],
      [["Shift", "1–6"], "Solo a stem"],
      [["L"], "Loop four bars from here, or no loop"],
      [["[", "]"], "Loop from or to this bar"],
      [["+", "−"], "Zoom in or out"],
      [["?"], "Show these keys"],
    ]),
  },

  correction: {
    title: "Tempo and key",
    intro: "Correct what the analysis found. Later mashups use the correction.",
    statuses: { idle: "", saving: "Saving…", saved: "Saved", failed: "Not saved" },
    reset: "Reset",
    tempo: "Tempo",
    /** @param {number} factor @param {string} tempo */
    factor(factor, tempo) {
      const name = factor === 1 ? "As found" : factor < 1 ? "Half" : "Double";
      return tempo ? `${name}: ${tempo}` : name;
    },
    downbeat: "First beat of the bars",
    earlier: "One beat earlier",
    later: "One beat later",
    /** @param {number} beats */
    shift: (beats) => (beats ? `${plural(Math.abs(beats), "beat")} ${beats < 0 ? "earlier" : "later"}` : "As found"),
    key: "Key",
    foundKey: "As found",
    /** @param {string} key */
    foundKeyOf: (key) => `As found: ${key}`,
  },

  downloads: {
    title: "Downloads",
    intro: "The mix has the stems as they play now, with their volume, mute and solo.",
    zip: "All stems (ZIP)",
    mix: "What plays now (WAV)",
    mixName: "mix",
    mixing: "Mixing",
    failed: "The mix could not be made. Try again when the stems are loaded.",
    silent: "No stem is audible.",
    /** @param {string} gain */
    reduced: (gain) => `The mix would clip, so it was made ${gain.replace("−", "")} quieter.`,

  stems: {
    title: "Stems",
    untitled: "Untitled song",
    /** @param {string} kind @param {string} title */
    name: (kind, title) => `${kind} of ${title}`,
    mine: "Yours",
    minePublic: "Yours, public",
    public: "Public",
    more: "Show more stems",
    noneTitle: "No stems match",
    noneText: "Change the filters, or clear them to see all stems.",
    emptyTitle: "No stems yet",
    emptyText: "Upload a song to get its stems. Stems that others publish appear here too.",
    toSongs: "Upload a song",
    /** @param {number} count @param {boolean} hasMore */
    found: (count, hasMore) => `${plural(count, "stem")} shown${hasMore ? ", more to load" : ""}.`,
    /** @param {string} score */
    fit: (score) => `Fits ${score}`,
    /** @param {{speed_change: number | null, factor: number | null}} fit */
    speed({ speed_change: change, factor }) {
      if (change === null) return "tempo unknown";
      const time = factor === 0.5 ? " in half time" : factor === 2 ? " in double time" : "";
      if (Math.abs(change) < 0.0005) return `same tempo${time}`;
      return `${Math.abs(change * 100).toFixed(1)} % ${change > 0 ? "faster" : "slower"}${time}`;
    },
    /** @param {number | null} steps Steps on the Camelot wheel. */
    keyDistance(steps) {
      if (steps === null) return "key unknown";
      if (steps === 0) return "same key";
      return steps === 1 ? "neighboring key" : `${steps} keys apart`;
    },
    filters: {
      label: "Filters",
      /** @param {number} count Filters that are set. */
      toggle: (count) => (count ? `Filters (${count})` : "Filters"),
      text: "Title",
      kind: "Stem",
      anyKind: "All stems",
      key: "Key",
      anyKey: "All keys",
      neighbors: "and neighboring keys",
      tempo: "Tempo in BPM",
      tempo_min: "Lowest tempo in BPM",
      tempo_max: "Highest tempo in BPM",
      placeholders: { tempo_min: "from", tempo_max: "to" },
      tempoOrder: "The lowest tempo is above the highest.",
      fits: "Fits",
      anyFit: "Anything",
      noReference: "Anything (nothing chosen)",
      otherReference: "Another song or stem",
      owner: "Owner",
      owners: /** @type {Record<string, string>} */ ({ "": "All", mine: "Yours", public: "Public" }),
      clear: "Clear filters",
    },
  },
};
