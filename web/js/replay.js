// The player of a recording: one <audio>, a waveform that is a slider, and links to moments (#t=1711).

import { $, artwork, position, text, toast, icon } from "./util.js";

const RATES_KEY = "hustings-speed";

export const replay = (audio, title) => {
  const box = $("replay");
  if (!box || box.dataset.bound) return null;
  box.dataset.bound = "yes";
  const total = Number(box.dataset.ms) / 1000;
  const all = position(total);
  const seek = $("seek"), go = $("go"), played = $("played-rect"), head = $("playhead");
  const width = seek.parentElement.querySelector("svg").viewBox.baseVal.width;
  let asked = null;
  $("player").hidden = false;

  const ready = () => {
    if (audio.dataset.of === "replay") return;
    audio.dataset.of = "replay";
    audio.preload = "metadata";
    audio.src = box.dataset.src;
  };
  const show = () => {
    const at = asked ?? audio.currentTime;
    const x = total ? (Math.min(at, total) / total) * width : 0;
    played.setAttribute("width", x);
    head.setAttribute("x", Math.min(x, width - 3));
    if (document.activeElement !== seek || Math.abs(seek.value - at) >= 1) seek.value = at;
    seek.setAttribute("aria-valuetext", `${position(at)} of ${all}`);
    text($("at"), position(at));
    text($("link-here").querySelector("span"), `Link to ${position(at)}`);
  };
  const move = (to) => {
    ready();
    const at = Math.min(Math.max(0, to), Math.max(0, total - 0.2));
    asked = at;
    if (audio.readyState > 0) { audio.currentTime = at; asked = null; }
    show();
  };
  const fromHash = () => {
    const at = /^#t=(\d+)$/.exec(location.hash);
    if (at) move(Number(at[1]));
  };

  audio.addEventListener("loadedmetadata", () => { if (asked !== null) { audio.currentTime = asked; asked = null; } audio.playbackRate = Number($("speed").value); });
  audio.addEventListener("timeupdate", show);
  audio.addEventListener("seeked", show);
  const face = () => {
    go.setAttribute("aria-label", audio.paused ? "Play" : "Pause");
    go.replaceChildren(icon(audio.paused ? "play" : "pause"));
  };
  for (const name of ["play", "pause", "ended"]) audio.addEventListener(name, face);
  go.addEventListener("click", () => {
    ready();
    if (audio.paused) audio.play().catch(() => toast("The recording cannot be played now. Try again in a moment.")); else audio.pause();
  });
  seek.addEventListener("input", () => move(Number(seek.value)));
  seek.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -5, ArrowDown: -5, ArrowRight: 5, ArrowUp: 5, PageUp: 60, PageDown: -60 }[event.key];
    if (!step || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    move((asked ?? audio.currentTime) + (event.shiftKey && Math.abs(step) === 5 ? step * 6 : step));
  });
  for (const button of box.querySelectorAll("[data-skip]")) button.addEventListener("click", () => move((asked ?? audio.currentTime) + Number(button.dataset.skip)));
  const speed = $("speed");
  try { speed.value = localStorage.getItem(RATES_KEY) ?? "1"; } catch { /* storage may be closed */ }
  if (!speed.value) speed.value = "1";
  speed.addEventListener("change", () => {
    audio.playbackRate = Number(speed.value);
    try { localStorage.setItem(RATES_KEY, speed.value); } catch { /* as above */ }
  });
  $("volume")?.addEventListener("input", (event) => { audio.volume = Number(event.target.value) / 100; });
  $("link-here").addEventListener("click", async () => {
    const link = `${location.origin}${location.pathname}#t=${Math.floor(asked ?? audio.currentTime)}`;
    try { await navigator.clipboard.writeText(link); toast("The link to this moment is copied."); } catch { location.hash = link.split("#")[1]; toast("The link stands in the address bar."); }
  });
  addEventListener("hashchange", fromHash);
  fromHash();
  show();
  if ("mediaSession" in navigator) {
    navigator.mediaSession.metadata = new MediaMetadata({ title, artist: "Hustings, replay", artwork: artwork() });
    const handlers = {
      play: () => audio.play(), pause: () => audio.pause(), seekbackward: () => move(audio.currentTime - 15), seekforward: () => move(audio.currentTime + 30),
      seekto: (given) => move(given.seekTime),
    };
    for (const [name, does] of Object.entries(handlers)) try { navigator.mediaSession.setActionHandler(name, does); } catch { /* not every browser knows each */ }
  }
  return { move };
};
