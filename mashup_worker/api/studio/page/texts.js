/** All texts of the page. */

import { day, duration, loudness } from "./format.js";

/** @import {ApiError} from "./api.js" */

/** @typedef {{what: string, todo: string}} Words A problem, and what to do. */

/** @param {number} count @param {string} one @param {string} [many] */
const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

/** @param {number} value Bars, which may be fractions. */
const number = (value) => String(Number(value.toFixed(2)));

/** @param {number} at @param {number} count Bars, counted from 0. */
const barRange = (at, count) =>
  count > 1 ? `bars ${number(at + 1)} to ${number(at + count)}` : `bar ${number(at + 1)}`;

/** Automation of clips; changes of gain alone are not worth words. @type {Record<string, string>} */
const AUTOMATION = {
  low_pass_hz: "low-pass filter moves",
  high_pass_hz: "high-pass filter moves",
  bass_db: "bass is swapped",
};

/** Measurements whose names need more words. @type {Record<string, string>} */
const MEASUREMENTS = {
  tempo: "Tempo",
  "beats detected": "Beats, distance from the plan",
  "downbeats detected on beat": "Bars begin on beat",
  "key: vocals fit best at": "Vocals fit best when transposed by",
  lag: "Lag",
  "lag p95": "Lag, 95 %",
  drift: "Drift",
  "outside its clips": "Outside its clips",
};

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
  unreadable_file: {
    what: "The file cannot be read.",
    todo: "It may be a folder, or have been moved or changed. Choose the file again.",
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
  model_not_allowed: {
    what: "The license of this model is not allowed here.",
    todo: "Choose another model.",
  },
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
    localText: "The command that starts the service prints a link. To open the studio with a new one:",
    command: "mashup up --open",
    copy: "Copy",
    copied: "Copied",
    folder: "Add --data and the folder of the service, if it was started with them.",
    remote: "On a server",
    remoteText: "Open the studio from the app that you use, or ask the operator for a link (mashup studio-link).",
    paste: "Login link or code",
    pasteHint: "A link that opened in another browser can be pasted here.",
    submit: "Log in",
    checking: "Logging in…",
    refused: "This login link has been used or has expired.",
    refusedTodo: "Get a new one as below.",
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
    form: "Finding sections and chords",
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
    roles: /** @type {Record<string, string>} */ ({
      intro: "Intro",
      verse: "Verse",
      chorus: "Chorus",
      drop: "Drop",
      break: "Break",
      outro: "Outro",
    }),
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
    /** @param {string} model */
    separatedBy: (model) => `Separated by ${model}`,
    license: "License of the model",
    licenses: {
      permissive: "business use allowed",
      restricted: "business use restricted",
      unknown: "no statement on business use",
    },
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
    beats: "Beats",
    /** @type {Record<string, string>} */
    halves: { 0: "As found", 0.5: "Half a beat later" },
    downbeat: "First beat of the bars",
    earlier: "One beat earlier",
    later: "One beat later",
    /** @param {number} beats */
    shift: (beats) =>
      beats ? `${plural(Math.abs(beats), "beat")} ${beats < 0 ? "earlier" : "later"}` : "As found",
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
    format: "For DJ programs and DAWs",
    export: "Make and download",
    exporting: "Making the file",
    /** @type {Record<string, string>} */
    formats: {
      dawproject: "DAWproject (Bitwig, Studio One, Cubase)",
      "stem-folder": "Stems from bar 1 with MIDI tempo map (ZIP)",
      "native-stem": "Native Instruments stem file (AAC)",
      "native-stem-alac": "Native Instruments stem file (lossless)",
      rekordbox: "rekordbox XML: beat grid and cues",
      m3u8: "Playlist of the stems (M3U8)",
      loops: "Loops (ZIP)",
      click: "Click track (WAV)",
      wav: "WAV with markers",
      preview: "30-second preview (MP3)",
    },
    /** @param {string} reason */
    notExported: (reason) => `The file could not be made: ${reason}`,
    /** @param {string} gain */
    reduced: (gain) => `The mix would clip, so it was made ${gain.replace("−", "")} quieter.`,
  },

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
      return steps === 1 ? "neighboring key" : `${steps} keys away`;
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

  mashup: {
    title: "Mashup",
    settings: "Settings",
    vibe: "Vibe",
    intensity: "Intensity",
    more: "Loudness, format and seed",
    generate: "Make the mashup",
    chooseFirst: "Choose songs or stems first.",
    /** @param {number} left @param {number} all @param {string} period */
    left: (left, all, period) => `${left} of ${plural(all, "mashup")} left this ${period}.`,
    fields: {
      tempo_bpm: "Tempo in BPM",
      key: "Key",
      length_s: "Length in seconds",
      transition: "Transition",
      loudness_lufs: "Loudness in LUFS",
      format: "Format",
      seed: "Seed",
      seedHint: "The same seed, stems and settings give the same mashup.",
      newSeed: "Choose another seed",
      automatic: "Automatic",
      byVibe: "As the vibe",
      /** @param {number} low @param {number} high @param {boolean} isWhole */
      limits: (low, high, isWhole) =>
        isWhole
          ? "Enter a whole number, 0 or more."
          : `Enter a number from ${low} to ${high}.`.replaceAll("-", "−"),
    },
    chosen: {
      title: "Songs and stems",
      emptyTitle: "Nothing chosen yet",
      emptyText: "Choose two songs, or stems of several songs: one sings, the others play.",
      toSongs: "Choose songs",
      toStems: "Choose stems",
      clear: "Remove all",
      more: "Add stems that fit",
      /** @param {string} title */
      removeSong: (title) => `Remove ${title}`,
      /** @param {string} kind @param {string} title */
      removeStem: (kind, title) => `Remove ${kind} of ${title}`,
      /** @param {string} title */
      stemsOf: (title) => `Stems of ${title}`,
      silent: "not used in this form",
    },
    roles: {
      form: "Form",
      forms: { layer: "Layer", sequence: "Sequence", medley: "Medley" },
      meanings: {
        layer: "One song sings, the others play.",
        sequence: "The songs play one after another.",
        medley: "Short parts of the songs play one after another.",
      },
      single: "One song is arranged alone. Add another to mix them.",
      singer: "Who sings",
      singerHint: "Only the vocals of this song are used, and no other vocals.",
      baseSong: "Base",
      first: "First song",
      baseHint: "It sets the tempo.",
      sings: "Sings",
      base: "Base",
      /** @param {number} place */
      place: (place) => `No. ${place}`,
    },
    results: "Mashups",
    result: "Mashup",
    /** @param {number} number */
    take: (number) => `Take ${number}`,
    hide: "Close this take; it stays on the server",
    noneTitle: "No mashup yet",
    noneText: "The mashups that you make appear here side by side, with their arrangement and measurements.",
    /** @param {string[]} songs @param {boolean} isLayer */
    titleOf(songs, isLayer) {
      if (!songs.length) return "Mashup";
      const [first, ...others] = songs;
      if (isLayer && others.length) return `${first} over ${others.join(" and ")}`;
      return songs.join(", ");
    },
    ready: "The mashup is ready.",
    failed: "The mashup could not be made.",
    open: "Open",
    progress: "Progress of the mashup",
    stages: "Stages",
    done: "done",
    canceledWords: { what: "Canceled.", todo: "Try again to make the mashup." },
    player: "Player",
    compare: "Compare",
    sides: { master: "Mastered", before: "Before mastering" },
    /** @param {number} number Counted from 1. */
    bar: (number) => `bar ${number}`,
    matched: "Equally loud",
    /** @param {string} gain */
    gain: (gain) => `plays at ${gain}`,
    /** @param {number | null} master @param {number | null} before */
    loudnesses: (master, before) => `${loudness(before)} → ${loudness(master)}`,
    reuse: "Use these settings",
    reused: "Its stems and settings are chosen for the next mashup.",
    /** @param {string} format @param {string} size */
    download: (format, size) => `${format}, ${size}`,
  },

  vibes: /** @type {Record<string, {name: string, text: string}>} */ ({
    club: { name: "Club", text: "Driving and loud, for a dance floor" },
    chill: { name: "Chill", text: "Relaxed, with long crossfades" },
    lofi: { name: "Lo-fi", text: "Soft and dark, with filtered highs" },
    hype: { name: "Hype", text: "Full from the start, with hard cuts" },
    ambient: { name: "Ambient", text: "Sparse and quiet, with long intros" },
  }),

  transitions: /** @type {Record<string, string>} */ ({
    crossfade: "Crossfade",
    bass_swap: "Bass swap",
    filter_sweep: "Filter sweep",
    cut: "Cut",
  }),

  formats: /** @type {Record<string, string>} */ ({
    flac: "FLAC",
    wav: "WAV",
    mp3: "MP3",
    ogg: "Ogg Vorbis",
  }),

  arrangement: {
    label: "Clips of the arrangement",
    hint: "Point at a clip for its details, or move to it with Tab and the arrow keys. Enter moves there.",
    asText: "Arrangement as text",
    sectionRow: "Sections",
    transitionRow: "Transitions",
    sections: /** @type {Record<string, string>} */ ({
      intro: "Intro",
      vocals: "Vocals",
      verse: "Verse",
      chorus: "Chorus",
      drop: "Drop",
      break: "Break",
      outro: "Outro",
    }),
    /** @param {number} at @param {number} count Bars, counted from 0. */
    bars: (at, count) => barRange(at, count),
    /**
     * @param {string} name @param {string} from @param {string} to
     * @param {number} at @param {number} shared
     */
    transition: (name, from, to, at, shared) =>
      `${texts.transitions[name] ?? name} from ${from} to ${to}, ${shared ? barRange(at, shared) : `at bar ${number(at + 1)}`}`,
    /**
     * @param {import("./mashup/types.js").PlanClip} clip
     * @param {import("./mashup/types.js").PlanSource} source
     */
    clip(clip, { song, kind }) {
      const {
        at_bar,
        bars,
        from_bar,
        source_bars,
        stretch_ratio: ratio,
        semitones,
        fade_in_bars,
        fade_out_bars,
      } = clip;
      const filters = clip.automation.map(({ parameter }) => AUTOMATION[parameter]).filter(Boolean);
      return [
        `${texts.kinds[kind] ?? kind} of ${song}, ${barRange(at_bar, bars)}`,
        `from bar ${number(from_bar + 1)} of the song`,
        texts.plan.speed(ratio ? 1 / ratio - 1 : 0),
        Math.abs(source_bars / bars - 2) < 0.01 && "in half time",
        Math.abs(source_bars / bars - 0.5) < 0.01 && "in double time",
        texts.plan.transposed(semitones),
        fade_in_bars && `fades in for ${plural(fade_in_bars, "bar")}`,
        fade_out_bars && `fades out for ${plural(fade_out_bars, "bar")}`,
        ...new Set(filters),
      ]
        .filter(Boolean)
        .join("; ");
    },
  },

  report: {
    title: "Measurements",
    whole: "Measurements of the whole mashup",
    loudness: "Loudness",
    /** @param {number} lowest @param {number} highest @param {number | null} target */
    curve(lowest, highest, target) {
      const range = `Short-term loudness (3 s) of the master: ${loudness(lowest)} to ${loudness(highest)}`;
      return target === null ? range : `${range}; target ${loudness(target)}, dashed`;
    },
    ofStems: "Measurements of the stems",
    stems: "Stem",
    /** @param {number} passed @param {number} all */
    passed: (passed, all) => `${passed} of ${all} within their limits`,
    /** @param {number} passed @param {number} all */
    short: (passed, all) => `${passed}/${all} passed`,
    verdict: "Verdict",
    verdicts: { passed: "Within its limit", failed: "Outside its limit", unjudged: "Without a limit" },
    measurement: "Measurement",
    value: "Value",
    limit: "Limit",
    /** @param {string} limit */
    limitOf: (limit) => `limit ${limit}`,
    /** @param {string} name As in the report. */
    nameOf: (name) => MEASUREMENTS[name] ?? name.charAt(0).toUpperCase() + name.slice(1),
  },

  plan: {
    title: "Plan",
    form: "Form",
    forms: {
      layer: "Vocals over other songs",
      sequence: "Songs one after another",
      medley: "Short parts of songs",
    },
    vibe: "Vibe",
    tempo: "Tempo",
    key: "Key",
    length: "Length",
    /** @param {number} count @param {string} time */
    bars: (count, time) => `${plural(count, "bar")}, ${time}`,
    transition: "Transition",
    loudness: "Loudness",
    truePeak: "True peak at most",
    seed: "Seed",
    songs: "Changes of the songs",
    /** @param {number} change Such as 0.05 for 5 % faster. */
    speed(change) {
      if (Math.abs(change) < 0.0005) return "at its own tempo";
      return `${Math.abs(change * 100).toFixed(1)} % ${change > 0 ? "faster" : "slower"}`;
    },
    /** @param {string} own @param {number} change */
    change: (own, change) => `${own}, plays ${texts.plan.speed(change)}`,
    /** @param {number} semitones */
    transposed(semitones) {
      if (!semitones) return "not transposed";
      return `${plural(Math.abs(semitones), "semitone")} ${semitones > 0 ? "up" : "down"}`;
    },
    notes: "Notes",
    document: "Plan as JSON",
    documentHint: "mashup mix --plan renders it again, edited or not.",
    download: "Download the plan",
  },

  save: {
    title: "Save",
    savedTitle: "Saved",
    name: "Title",
    makePublic: "Public: all users may see and hear it",
    submit: "Save the mashup",
    empty: "Enter a title.",
    public: "Public",
    private: "Private",
    /** @param {string} title */
    notice: (title) => `${title} is saved, and its stems are credited.`,
  },

  credits: {
    title: "Credits",
    you: "You",
    unknown: "Stems of no user",
    /** @param {string} id */
    creator: (id) => `Creator ${id}`,
    /** @param {number} count */
    stems: (count) => plural(count, "stem"),
    /** @param {number} percent */
    share: (percent) => `${percent.toFixed(2)} %`,
  },

  saved: {
    title: "Saved mashups",
    untitled: "Untitled mashup",
    owner: "Owner",
    mine: "Yours",
    all: "All",
    empty: "None yet. A mashup that you save keeps its credits, and can be published.",
    more: "Show more mashups",
    /** @param {string} title */
    download: (title) => `Download ${title}`,
  },

  queue: {
    title: "Queue",
    forbidden: "For operators only",
    forbiddenText: "Log in with a link that was made with: mashup studio-link --operator",
    queues: "Queues",
    queueColumn: "Queue",
    waiting: "Waiting",
    running: "Running",
    oldest: "Oldest",
    actions: "Actions",
    /** @param {string} time */
    pausedSince: (time) => `paused since ${time}`,
    /** @param {string} name */
    tier: (name) => (name === "none" ? "without a user" : `${name} tier`),
    pause: "Pause",
    resume: "Resume",
    /** @param {string} name */
    paused: (name) => `Queue ${name} is paused: running jobs continue, and no other job starts.`,
    /** @param {string} name */
    resumed: (name) => `Queue ${name} starts jobs again.`,
    processes: "Worker processes",
    noProcess: "No worker process runs. Jobs wait until one is started: mashup worker",
    /** @param {string} names */
    unreachable: (names) => `${names}: unreachable`,
    states: /** @type {Record<string, string>} */ ({
      starting: "Starting",
      ready: "Ready",
      stopping: "Stopping",
    }),
    device: "Device",
    models: "Models",
    noModel: "none loaded",
    memory: "Memory",
    deviceMemory: "Device memory",
    /** @param {string} used @param {string} all */
    memoryOf: (used, all) => `${used} of ${all}`,
    uptime: "Runs for",
    heartbeat: "Last report",
    /** @param {string} time */
    ago: (time) => `${time} ago`,
    version: "Version",
    idle: "Waits for a job",
    /** @param {number} percent @param {string} time */
    percentAfter: (percent, time) => `${percent} %, for ${time}`,
    /** @param {string} id */
    jobOf: (id) => `Job of ${id}`,
    /** @param {number} hours */
    throughput: (hours) => `Last ${plural(hours, "hour")}`,
    completed: "Completed",
    failed: "Failed",
    canceled: "Canceled",
    waitingTime: "Waited, median / 95 %",
    runningTime: "Ran, median / 95 %",
    audio: "Audio",
    deviceTime: "Device time",
    cost: "Cost",
    jobs: "Jobs",
    status: "Status",
    anyStatus: "All statuses",
    type: "Type",
    anyType: "All types",
    types: /** @type {Record<string, string>} */ ({
      separate: "Separation",
      analyze: "Analysis",
      mashup: "Mashup",
      master: "Mastering",
    }),
    noJobs: "No jobs match.",
    /** @param {number} count */
    showFresh: (count) => `Show ${plural(count, "new job")}`,
    more: "Show more jobs",
    /** @param {string} id */
    user: (id) => `User ${id}`,
    noUser: "No user",
    /** @param {number} count */
    attempt: (count) => `attempt ${count}`,
    /** @param {string} type */
    progressOf: (type) => `Progress of the ${type.toLowerCase()}`,
    /** @param {string} message */
    failedBefore: (message) => `Last attempt: ${message}`,
    /** @param {string} time */
    took: (time) => `took ${time}`,
    retried: "A copy of the job waits in the queue.",
  },
};
