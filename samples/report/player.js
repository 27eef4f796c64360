"use strict";
(() => {
  const FADE_S = 0.01; // time constant of every change of gain: short, and free of clicks
  const START_DELAY_S = 6 * FADE_S; // room for sound that is fading out before a new start
  const STEP_S = 5;

  const Context = window.AudioContext || window.webkitAudioContext;
  if (!Context) return;
  document.documentElement.classList.add("playable");

  let context = null; // browsers let one sound only after a gesture
  let active = null; // the song that the keyboard talks to

  const clock = (seconds) => {
    const tenths = Math.floor(seconds * 10 + 1e-6);
    const rest = (tenths % 600) / 10;
    return `${Math.floor(tenths / 600)}:${rest.toFixed(1).padStart(4, "0")}`;
  };

  const glide = (gain, value, atS) => {
    gain.cancelScheduledValues(atS);
    gain.setTargetAtTime(value, atS, FADE_S);
  };

  const press = (button, pressed) => button?.setAttribute("aria-pressed", String(pressed));

  // Squared, so that the middle of a slider sounds like half.
  const sliderGain = (slider) => (slider ? (slider.value / 100) ** 2 : 1);

  const fill = (slider) => slider?.style.setProperty("--value", `${slider.value}%`);

  class Track {
    constructor(element) {
      const find = (selector) => element.querySelector(selector);
      this.element = element;
      this.muteButton = find(".mute");
      this.soloButton = find(".solo");
      this.slider = find(".level");
      this.native = find("audio");
      this.muted = false;
      this.soloed = false;
    }

    async decode(bus) {
      const base64 = this.native.src.slice(this.native.src.indexOf(",") + 1);
      const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      this.gain = context.createGain();
      this.gain.connect(bus);
      this.buffer = await context.decodeAudioData(bytes.buffer);
    }
  }

  class Song {
    constructor(section) {
      const find = (selector) => section.querySelector(selector);
      this.section = section;
      this.spanS = Number(section.dataset.spanS);
      this.tracks = [...section.querySelectorAll(".track")].map((row) => new Track(row));
      [this.mix, ...this.stems] = this.tracks;
      this.playButton = find(".play");
      this.nowText = find(".now");
      this.scale = find(".scale");
      this.master = find(".master");
      this.status = find(".status");
      this.stemsButton = find(".hear-stems");
      this.mixButton = find(".hear-mix");
      this.hearsMix = false;
      this.wanted = false; // whether it should sound, as soon as it is decoded
      this.sources = [];
      this.fromS = 0; // where it stands, or where the present run began
      this.zeroAtS = 0; // context time at which the present run's second 0 falls
      this.listen();
      this.applyGains();
    }

    listen() {
      this.playButton.addEventListener("click", () => this.toggle());
      this.stemsButton.addEventListener("click", () => this.hear(false));
      this.mixButton.addEventListener("click", () => this.hear(true));
      this.master.addEventListener("input", () => this.applyGains());
      for (const track of this.stems) {
        track.muteButton.addEventListener("click", () => {
          track.muted = !track.muted;
          this.hear(false);
        });
        track.soloButton.addEventListener("click", () => this.solo(track));
        track.slider.addEventListener("input", () => this.applyGains());
      }
      for (const element of this.section.querySelectorAll(".seekable")) this.listenToSeeks(element);
      this.section.addEventListener("pointerdown", () => (active = this), true);
      this.section.addEventListener("focusin", () => (active = this));
    }

    listenToSeeks(element) {
      const timeAt = (event) => {
        const box = element.getBoundingClientRect();
        const share = (event.clientX - box.left) / box.width;
        return Math.min(1, Math.max(0, share)) * this.spanS;
      };
      element.addEventListener("pointerdown", (event) => {
        if (event.button !== 0) return;
        element.setPointerCapture(event.pointerId);
        this.draggedToS = timeAt(event);
        this.show();
      });
      element.addEventListener("pointermove", (event) => {
        if (this.draggedToS === undefined) return;
        this.draggedToS = timeAt(event);
        this.show();
      });
      element.addEventListener("pointerup", () => {
        if (this.draggedToS === undefined) return;
        const toS = this.draggedToS;
        this.draggedToS = undefined;
        this.seek(toS);
      });
      element.addEventListener("pointercancel", () => {
        this.draggedToS = undefined;
        this.show();
      });
    }

    get playing() {
      return this.sources.length > 0;
    }

    get positionS() {
      if (!this.playing) return this.fromS;
      const heardS = context.currentTime - (context.outputLatency || 0) - this.zeroAtS;
      return Math.min(this.spanS, Math.max(this.fromS, heardS));
    }

    toggle() {
      if (this.wanted) this.pause();
      else this.play();
    }

    async play() {
      for (const song of songs) if (song !== this) song.pause();
      active = this;
      this.wanted = true;
      this.show();
      context ??= new Context();
      try {
        this.decoding ??= this.decode();
        await Promise.all([context.resume(), this.decoding]);
      } catch {
        this.giveUp();
        return;
      }
      if (this.wanted && !this.playing) this.start();
      this.show();
    }

    async decode() {
      this.playButton.setAttribute("aria-busy", "true");
      this.fader = context.createGain();
      this.volume = context.createGain();
      this.fader.connect(this.volume).connect(context.destination);
      this.fader.gain.value = 0;
      await Promise.all(this.tracks.map((track) => track.decode(this.fader)));
      this.playButton.removeAttribute("aria-busy");
      this.applyGains();
    }

    giveUp() {
      this.wanted = false;
      this.section.classList.add("undecodable");
      this.status.textContent = "This browser can't play the stems together. Each has its own player below.";
      this.show();
    }

    pause() {
      this.wanted = false;
      if (this.playing) this.stop();
      this.show();
    }

    start() {
      const atS = context.currentTime + START_DELAY_S;
      this.zeroAtS = atS - this.fromS;
      this.sources = this.tracks.map((track) => {
        const source = context.createBufferSource();
        source.buffer = track.buffer;
        source.connect(track.gain);
        source.start(atS, this.fromS);
        return source;
      });
      glide(this.fader.gain, 1, atS);
      requestAnimationFrame(() => this.tick());
    }

    stop() {
      this.fromS = this.positionS;
      glide(this.fader.gain, 0, context.currentTime);
      for (const source of this.sources) source.stop(context.currentTime + START_DELAY_S);
      this.sources = [];
    }

    tick() {
      if (!this.playing) return;
      if (this.positionS >= this.spanS) {
        this.pause();
        this.seek(0);
        return;
      }
      this.show();
      requestAnimationFrame(() => this.tick());
    }

    seek(toS) {
      const wasPlaying = this.playing;
      if (wasPlaying) this.stop();
      this.fromS = Math.min(this.spanS, Math.max(0, toS));
      if (wasPlaying) this.start();
      this.show();
    }

    hear(mix) {
      this.hearsMix = mix;
      this.applyGains();
    }

    solo(track) {
      track.soloed = !track.soloed;
      this.hear(false);
    }

    audible(track) {
      if (track === this.mix || this.hearsMix) return this.hearsMix && track === this.mix;
      return this.stems.some((stem) => stem.soloed) ? track.soloed : !track.muted;
    }

    applyGains() {
      for (const track of this.tracks) {
        const audible = this.audible(track);
        track.element.toggleAttribute("data-silent", !audible);
        press(track.muteButton, track.muted);
        press(track.soloButton, track.soloed);
        fill(track.slider);
        const value = audible ? sliderGain(track.slider) : 0;
        if (track.gain) glide(track.gain.gain, value, context.currentTime);
      }
      press(this.stemsButton, !this.hearsMix);
      press(this.mixButton, this.hearsMix);
      fill(this.master);
      if (this.volume) glide(this.volume.gain, sliderGain(this.master), context.currentTime);
    }

    show() {
      const positionS = this.draggedToS ?? this.positionS;
      this.section.classList.toggle("playing", this.wanted);
      this.playButton.setAttribute("aria-label", this.wanted ? "Pause" : "Play");
      this.section.style.setProperty("--position", positionS / this.spanS);
      const text = clock(positionS);
      if (this.nowText.textContent === text) return;
      this.nowText.textContent = text;
      this.scale.setAttribute("aria-valuenow", positionS.toFixed(1));
      this.scale.setAttribute("aria-valuetext", text);
    }
  }

  const songs = [...document.querySelectorAll(".song")].map((section) => new Song(section));
  active = songs[0];

  // A mouse click leaves the focus alone, so that the space bar goes on meaning play and pause.
  document.addEventListener("mousedown", (event) => {
    if (event.target.closest("button")) event.preventDefault();
  });

  document.addEventListener("keydown", (event) => {
    if (!active || event.ctrlKey || event.metaKey || event.altKey) return;
    const focus = event.target;
    if (event.key === " ") {
      if (focus.closest("button, a, audio") || event.repeat) return;
      active.toggle();
    } else if (event.key === "0") {
      active.hear(!active.hearsMix);
    } else if (event.key >= "1" && event.key <= "9") {
      const stem = active.stems[event.key - 1];
      if (stem) active.solo(stem);
    } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      if (focus.closest("input, audio, .summary")) return;
      active.seek(active.positionS + (event.key === "ArrowLeft" ? -STEP_S : STEP_S));
    } else if (focus === active.scale && (event.key === "Home" || event.key === "End")) {
      active.seek(event.key === "Home" ? 0 : active.spanS);
    } else {
      return;
    }
    event.preventDefault();
  });
})();
