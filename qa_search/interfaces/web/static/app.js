// What the pages can do beyond links and forms. Without this, everything else works all the same.

async function pageAt(address, options) {
  const answer = await fetch(address, options);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

// Where no address holds the search, the form that sent it stays with this entry of the browser's history, which then
// is no form any more: Back and Reload need not ask whether to send it again. They get the page without the search, and
// the search is asked anew. The browser keeps this as it keeps what is typed: with the tab, not in its list of pages.
function keepSent() {
  const sent = document.getElementById("sent");
  if (sent && !new URLSearchParams(location.search).has("q")) {
    const here = location.pathname.startsWith("/posts/") ? location.href : `/${location.hash}`;
    history.replaceState({ sent: new URLSearchParams(new FormData(sent)).toString() }, "", here);
  } else if (history.state?.sent) {
    history.replaceState(null, "");
  }
}
// Some browsers keep what is kept where a link leads to the same address, too: that asks for the page as it is.
const came = performance.getEntriesByType("navigation")[0]?.type;
if (document.getElementById("sent") || came === "navigate") {
  keepSent();
} else if (history.state?.sent) {
  const body = new URLSearchParams(history.state.sent);
  body.set("part", "1"); // as while typing: no new question, and no new choice of Private
  try {
    const page = await pageAt(location.href, { method: "POST", body });
    document.title = page.title;
    document.body = document.adoptNode(page.body);
    document.getElementById(location.hash.slice(1))?.scrollIntoView();
  } catch {
    // The service does not answer: the page stays without the search.
  }
}

const form = document.querySelector("form[role=search]");
const said = document.getElementById("said");
const results = document.getElementById("results");
const wide = matchMedia("(min-width: 1100px)");
// What the page shows, with the entry of the history that it belongs to.
const place = () => location.pathname + location.search;
let shown = { place: place(), state: history.state, text: form?.elements.q.defaultValue };
const SAID_FOR = 5000; // milliseconds
const TYPING = 250; // milliseconds without a key until what was typed is searched
const FEWEST = 3; // letters that are searched while typing

function offer(part) {
  for (const element of part.querySelectorAll("[data-copy], [data-with-script]")) {
    element.hidden = false;
  }
}
offer(document);

// Enter searches, Shift+Enter starts a new line. While an input method composes a word, Enter belongs to it
// (Safari says so only by the code 229).
form?.elements.q.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229) {
    event.preventDefault();
    form.requestSubmit();
  }
});

// A text that is too long is told as soon as it is pasted. It is kept whole, and sent if a request can hold it: the
// service answers that it is too long, and looks for signs of danger all the same.
function tellLength() {
  const { value, dataset } = form.elements.q;
  const most = Number(dataset.most);
  const length = value.length > most ? [...value].length : 0; // in characters, as the service counts
  const told = document.getElementById("too-long");
  told.hidden = length <= most;
  told.textContent = told.hidden ? "" : `This text has ${length.toLocaleString("en")} characters, and at most `
    + `${most.toLocaleString("en")} are searched. Leave out what the search does not need.`;
  return !told.hidden && String(new URLSearchParams(new FormData(form))).length > Number(dataset.mostBytes);
}
form?.elements.q.addEventListener("input", tellLength);

// Private is remembered as soon as it is ticked, and what the page shows goes from the address and from links, too.
form?.elements.private.addEventListener("change", ({ target }) => {
  document.cookie = `qa_private=1; path=/; samesite=strict; max-age=${target.checked ? target.dataset.remembered : 0}`;
  const asked = new URLSearchParams(history.state?.sent ?? location.search);
  if (target.checked && document.getElementById("found") && asked.has("q")) {
    asked.set("private", "1");
    search(asked);
  }
});

// Screen readers tell of changes only, so how many posts were found is put in once more after loading.
function announce() {
  const found = document.querySelector("#found [role=status]");
  if (found) {
    const text = found.textContent;
    found.textContent = "";
    requestAnimationFrame(() => {
      found.textContent = text;
    });
  }
}
announce();

// While a search takes its time, the page says so; a page that the browser kept is ready again.
form?.addEventListener("submit", (event) => {
  if (tellLength()) {
    event.preventDefault();
    return;
  }
  typed?.abort();
  clearTimeout(soon);
  form.setAttribute("aria-busy", "true");
  form.querySelector("button[type=submit]").textContent = "Searching …";
  if (document.getElementById("found")) {
    history.replaceState({ ...history.state, submitted: true }, "");
  }
});
addEventListener("pageshow", () => {
  // Browsers put back what stood in the box last: the complaint that led from these hits to the next ones.
  if (form && history.state?.submitted) {
    form.elements.q.value = shown.text;
    const { submitted, ...state } = history.state;
    history.replaceState(Object.keys(state).length > 0 ? state : null, "");
  }
  form?.removeAttribute("aria-busy");
  const button = form?.querySelector("button[type=submit]");
  if (button) {
    button.textContent = "Search";
  }
});

// A hit is opened by a link or, where no address holds the search, by a button of the form that takes it along.
const OPENERS = ".hit h3 :is(a, button)";
function pageBehind(opener, signal) {
  if (opener.localName === "a") {
    return pageAt(opener.href, { signal });
  }
  return pageAt(opener.formAction, { method: "POST", body: new URLSearchParams(new FormData(opener.form)), signal });
}

// Results while typing: of short texts, once the keys rest; an outdated search is given up.
let soon;
let typed;
async function search(body) {
  typed?.abort();
  typed = new AbortController();
  const { signal } = typed;
  body.set("part", "1");
  try {
    const found = await pageAt("/", { method: "POST", body, signal });
    const part = found.getElementById("results");
    if (!signal.aborted && part && found.getElementById("found")) {
      results.replaceChildren(...document.adoptNode(part).childNodes);
      // No address for each few letters: the entry keeps the search as it keeps one that no address holds, and Back
      // and Reload find it there. An address of an earlier search would no longer be that of what is shown.
      history.replaceState({ sent: body.toString() }, "", `/${location.hash}`);
      shown = { place: place(), state: history.state, text: body.get("q") };
      offer(results);
      announce();
      openFirst();
    }
  } catch (error) {
    if (error.name !== "AbortError") {
      throw error;
    }
  }
}
if (form?.dataset.instant && results) {
  form.elements.q.addEventListener("input", (event) => {
    clearTimeout(soon);
    typed?.abort();
    const length = form.elements.q.value.trim().length;
    if (!event.isComposing && length >= FEWEST && length <= Number(form.dataset.instant)) {
      soon = setTimeout(() => search(new URLSearchParams(new FormData(form))), TYPING);
    }
  });
}

// Where there is room, a post opens beside the hits: at first the best one. Another one is an entry of the history, so
// that Back leads from it to the hits as they were; further ones take its place, since Back would lead past them all.
let opening;
// A page that has no post, but says why: it was asked for, so it is shown, in place of the entry made for it.
function leaveFor(opener) {
  if (opener.localName === "a") {
    location.replace(opener.href);
  } else {
    opener.form.requestSubmit(opener);
  }
}
async function openBeside(link, focus) {
  opening?.abort();
  opening = new AbortController();
  const { signal } = opening;
  let post;
  try {
    post = await pageBehind(link, signal);
  } catch (error) {
    if (error.name === "AbortError") {
      return;
    }
    throw error;
  }
  const article = post.querySelector("article.post");
  if (signal.aborted) {
    return;
  }
  if (!article) {
    if (focus) {
      leaveFor(link);
    }
    return;
  }
  const heading = document.createElement("h2");
  const own = link.cloneNode(false);
  own.append(...article.querySelector("h1").childNodes);
  heading.append(own);
  article.querySelector("h1").replaceWith(heading);
  let beside = document.querySelector(".beside");
  if (!beside) {
    beside = document.createElement("aside");
    beside.className = "beside";
    beside.tabIndex = 0;
    beside.setAttribute("aria-label", "The open post");
    results.append(beside);
  }
  document.documentElement.classList.add("two");
  beside.replaceChildren(...[article, post.querySelector(".neighbours")].filter(Boolean));
  offer(beside);
  for (const hit of document.querySelectorAll(".hit[aria-current]")) {
    hit.removeAttribute("aria-current");
  }
  link.closest(".hit")?.setAttribute("aria-current", "true");
  const mark = document.getElementById("mark");
  beside.scrollTop = mark ? mark.offsetTop - beside.clientHeight / 3 : 0;
  if (focus) {
    beside.focus({ preventScroll: true });
  }
}
function openFirst() {
  const chosen = document.getElementById(history.state?.beside ?? "")?.querySelector("a, button");
  const first = chosen ?? document.querySelector(OPENERS);
  if (wide.matches && first) {
    openBeside(first, false);
  } else {
    document.documentElement.classList.remove("two");
  }
}
if (results) {
  openFirst();
  wide.addEventListener("change", () => {
    if (!document.querySelector(".beside")) {
      openFirst();
    }
  });
}
document.addEventListener("click", (event) => {
  const link = event.target.closest(OPENERS);
  const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
  if (link && plain && wide.matches) {
    event.preventDefault();
    const state = { ...history.state, beside: link.closest("h3").id };
    if (history.state?.beside) {
      history.replaceState(state, "");
    } else if (!link.closest("[aria-current]")) {
      history.pushState(state, "");
    }
    shown.state = history.state;
    openBeside(link, true);
  }
});

addEventListener("popstate", () => {
  if (!results) {
    return;
  }
  if (!history.state && location.hash && place() === shown.place) {
    history.replaceState(shown.state, ""); // a link within the page has led here
  } else if (place() === shown.place && history.state?.sent === shown.state?.sent) {
    shown.state = history.state;
    openFirst();
  } else {
    location.reload(); // what was searched at this entry is no longer on the page
  }
});

// Keys: / to the box, j and k to the next and the previous hit, Escape back to the hits or to the results.
function step(by) {
  const links = [...document.querySelectorAll(`${OPENERS}, .nearest :is(h2, h3) :is(a, button)`)].filter((link) =>
    link.checkVisibility());
  const hit = document.activeElement?.closest(".hit, .nearest li");
  const at = links.findIndex((link) => hit?.contains(link));
  links.at(at < 0 ? 0 : Math.min(Math.max(at + by, 0), links.length - 1))?.focus();
}
function leave(event) {
  const back = document.querySelector("[data-back]");
  if (document.activeElement?.closest(".beside")) {
    document.querySelector(".hit[aria-current] h3 :is(a, button)")?.focus();
  } else if (back) {
    event.preventDefault(); // the browser would stop loading the page that this key leads to
    back.click();
  }
}
const KEYS = { "/": () => form?.elements.q.focus(), j: () => step(1), k: () => step(-1), Escape: leave };
document.addEventListener("keydown", (event) => {
  const writing = event.target.closest("input, textarea, select");
  const act = Object.hasOwn(KEYS, event.key) ? KEYS[event.key] : undefined;
  if (act && !writing && !event.ctrlKey && !event.metaKey && !event.altKey && !event.isComposing) {
    if (event.key !== "Escape") {
      event.preventDefault();
    }
    act(event);
  }
});

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Browsers have no clipboard for pages over plain http, as on a clinic's own network; this way still works there.
    const area = document.createElement("textarea");
    area.className = "copied-from";
    area.value = text;
    const focused = document.activeElement;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    focused?.focus();
    return done;
  }
}

// The whole answer, what it is from, and where to read it.
function answerWithSource(button) {
  const texts = [...button.closest("article").querySelectorAll("[data-answer]")].map((text) => text.textContent);
  const address = new URL(button.dataset.path, location.href);
  return `${texts.join("\n\n")}\n\n${button.dataset.source}\n${address}`;
}

let forget;
function say(text) {
  clearTimeout(forget);
  said.textContent = "";
  requestAnimationFrame(() => {
    said.textContent = text;
  });
  forget = setTimeout(() => {
    said.textContent = "";
  }, SAID_FOR);
}

document.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-copy]");
  if (!button) {
    return;
  }
  const link = button.dataset.copy === "address";
  const done = await copy(link ? new URL(button.dataset.path, location.href).href : answerWithSource(button));
  say(done ? `Copied ${link ? "the link" : "the answer with its source"}.` : "This browser does not let pages copy.");
});
