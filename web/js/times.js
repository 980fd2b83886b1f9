// Times of the server (UTC) as times of the reader.

const zone = "en-GB";
const clock = new Intl.DateTimeFormat(zone, { hour: "2-digit", minute: "2-digit" });
const second = new Intl.DateTimeFormat(zone, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat(zone, { day: "numeric", month: "short" });
const date = new Intl.DateTimeFormat(zone, { day: "numeric", month: "long", year: "numeric" });
const weekday = new Intl.DateTimeFormat(zone, { weekday: "long", day: "numeric", month: "short" });
const short = new Intl.DateTimeFormat(zone, { weekday: "short", day: "numeric", month: "short" });
const long = new Intl.DateTimeFormat(zone, { weekday: "long", day: "numeric", month: "long" });
const dated = new Intl.DateTimeFormat(zone, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const plain = (words) => words.replace(",", "");

const STYLES = {
  clock: (at) => clock.format(at),
  second: (at) => (at.toDateString() === new Date().toDateString() ? "" : `${day.format(at)}, `) + second.format(at),
  near: (at) => (at.toDateString() === new Date().toDateString() ? clock.format(at) : day.format(at)),
  date: (at) => date.format(at),
  short: (at) => `${plain(short.format(at))}, ${clock.format(at)}`,
  weekday: (at) => plain(weekday.format(at)),
  dated: (at) => `${plain(dated.format(at))} at ${clock.format(at)}`,
  stamped: (at) => `${plain(dated.format(at))} at ${second.format(at)}`,
  when: (at) => `${plain(long.format(at))} at ${clock.format(at)}`,
};

export const moment = (ms, style) => STYLES[style](new Date(ms));

export const localise = (root = document) => {
  for (const time of root.querySelectorAll("time[data-as]")) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.getTime())) time.textContent = STYLES[time.dataset.as]?.(at) ?? time.textContent;
  }
  for (const note of root.querySelectorAll("[data-local]")) note.hidden = false;
};
