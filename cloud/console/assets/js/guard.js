// The guard's screen: sounds while an alarm is unacknowledged, keys instead of a mouse, a clock.
// Space must be held, so that a dropped book does not acknowledge a fire. Quiet ends by itself after a minute.

const HOLD_MS = 300;
const QUIET_MS = 60_000;
// What is played: pairs of frequency (Hz, 0 is silence) and length (ms), over and over for fire and people.
const SOUNDS = {
  fire: [[880, 250], [660, 250]],
  person: [[740, 400], [0, 150], [550, 400], [0, 900]],
  chime: [[990, 180], [0, 60], [660, 260], [0, 4500]],
};

export function watch(screen) {
  if (!screen) return;
  const state = { audio: null, quietUntil: 0, step: 0, heldSince: 0 };
  screen.querySelector("[data-sound-test]").addEventListener("click", () => {
    state.audio ??= new AudioContext();
    state.audio.resume();
    play(state, 660, 200);
  });
  window.setInterval(() => {
    const clock = screen.querySelector("[data-clock]");
    clock.textContent = new Date().toTimeString().slice(0, 8);
    screen.querySelector("[data-mute]").hidden = state.audio?.state === "running";
  }, 1000);
  turn(screen, state);
  document.addEventListener("keydown", (event) => pressed(event, screen, state));
  document.addEventListener("keyup", (event) => {
    if (event.key !== " ") return;
    const held = state.heldSince && Date.now() - state.heldSince >= HOLD_MS;
    state.heldSince = 0;
    if (held) document.getElementById("ack")?.requestSubmit();
  });
}

function pressed(event, screen, state) {
  if (event.target.closest("input, select, textarea")) return;
  if (event.key === " ") {
    event.preventDefault();
    state.heldSince ||= Date.now();
  } else if (event.key === "m" || event.key === "M") {
    state.quietUntil = Date.now() + QUIET_MS;
  } else if (event.key === "f" || event.key === "F") {
    if (document.fullscreenElement) document.exitFullscreen();
    else screen.requestFullscreen();
  }
}

function turn(screen, state) {
  const melody = SOUNDS[screen.querySelector("[data-sound]")?.dataset.sound];
  if (!melody || Date.now() < state.quietUntil) {
    state.step = 0;
    window.setTimeout(() => turn(screen, state), 250);
    return;
  }
  const [frequency, length] = melody[state.step % melody.length];
  state.step += 1;
  if (frequency && state.audio?.state === "running") play(state, frequency, length);
  window.setTimeout(() => turn(screen, state), length);
}

function play(state, frequency, length) {
  const tone = state.audio.createOscillator();
  const volume = state.audio.createGain();
  tone.type = "square";
  tone.frequency.value = frequency;
  volume.gain.value = 0.15;
  tone.connect(volume).connect(state.audio.destination);
  tone.start();
  tone.stop(state.audio.currentTime + length / 1000);
}
