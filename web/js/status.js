// The status page looks again by itself, in place: nobody who reads it is thrown back to its top.

import { $, sleep } from "./util.js";
import { localise } from "./times.js";

/** ms between two looks; while nobody sees the page it rests. */
const LOOK_MS = 10000, REST_MS = 60000;

localise();
for (;;) {
  await sleep(document.hidden ? REST_MS : LOOK_MS);
  try {
    const answer = await fetch(location.pathname, { signal: AbortSignal.timeout?.(8000) });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("status");
    if (!fresh || $("status").contains(document.activeElement)) continue;
    for (const one of fresh.querySelectorAll("details")) one.open = document.getElementById(one.id)?.open ?? false;
    localise(fresh);
    $("status").replaceWith(document.adoptNode(fresh));
    document.title = page.title;
  } catch { /* the page says of when it is */ }
}
