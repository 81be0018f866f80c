// Puts a search box, or what is similar to a text that somebody writes, and the answers into any page:
//   <script src="https://search.example/widget.js" data-target="#answers" data-title="Asked before?"></script>
//   data-target  where it goes (a selector); without it, where the script stands
//   data-watch   a box of the page (a selector): similar questions while somebody writes there, no box of its own
//   data-title   its heading; data-k  how many answers
//   data-token   the service's --widget-token, if it has one: whoever sees the page can read it
// It lives in a shadow root: neither the page's style reaches it, nor its style the page.
(() => {
  const script = document.currentScript;
  const service = new URL(script.src).origin;
  const { target, watch, title = "Past answers", k = "3", token } = script.dataset;
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const RESTING = 500; // milliseconds without a key until what was written is searched
  const FEWEST = 12; // characters that are searched while somebody writes
  const STYLE = `
    :host { display: block; font: inherit; }
    h2 { margin: 0 0 .5rem; font-size: 1.15em; }
    label { display: block; font-weight: 600; }
    textarea { box-sizing: border-box; width: 100%; min-height: 4rem; padding: .5rem; font: inherit; }
    button { min-height: 2.75rem; margin: .5rem 0; padding: .4rem 1.1rem; font: inherit; font-weight: 600; cursor: pointer; }
    .danger { font-weight: bold; }
    ol { margin: 0; padding: 0; list-style: none; }
    li { margin: .8rem 0; }
    a, .title { display: inline-block; padding: .3rem 0; font-weight: 600; }
    summary { padding: .3rem 0; cursor: pointer; }
    .text { white-space: pre-wrap; }
    p, blockquote { margin: .2rem 0; }
    .facts { font-size: .9em; }
    mark { color: #1c2427; background: #ffedac; }
  `;

  function make(name, attributes, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      element.setAttribute(key, value);
    }
    element.append(...children);
    return element;
  }

  const host = make("div", { class: "qa-search-widget" });
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];
  const found = make("div", { role: "status" });

  function problem(status, text) {
    if (status === 401) {
      return `This page gets no answers: the search ${token ? "does not take its token" : "asks for a token"}.`;
    }
    try {
      return `The search does not answer: ${JSON.parse(text).error.message.replace(/\.$/, "")}.`;
    } catch {
      return "The search does not answer."; // something on the way, such as a proxy, has said so in its own words
    }
  }

  let running;
  async function search(text, more = {}) {
    running?.abort();
    running = new AbortController();
    const { signal } = running;
    try {
      const body = new URLSearchParams({ q: text, k, ...more });
      const answer = await fetch(`${service}/widget`, { method: "POST", body, headers, signal, credentials: "omit" });
      const said = await answer.text();
      if (!answer.ok) {
        found.textContent = problem(answer.status, said);
        return;
      }
      const part = new DOMParser().parseFromString(said, "text/html");
      for (const link of part.querySelectorAll("a")) {
        link.href = new URL(link.getAttribute("href"), service).href;
      }
      found.replaceChildren(...document.adoptNode(part.body).childNodes);
    } catch (error) {
      if (error.name !== "AbortError") {
        found.textContent = "The search does not answer.";
      }
    }
  }

  root.append(make("h2", {}, title));
  const watched = watch && document.querySelector(watch);
  if (watched) {
    let resting;
    watched.addEventListener("input", () => {
      clearTimeout(resting);
      running?.abort();
      const text = watched.value.trim();
      if (text.length >= FEWEST) {
        resting = setTimeout(search, RESTING, text, { typing: "1" });
      }
    });
  } else {
    const box = make("textarea", { id: "q", name: "q", required: "", maxlength: "2000", dir: "auto" });
    const form = make("form", { role: "search" }, make("label", { for: "q" }, "What is the complaint?"), box);
    form.append(make("button", { type: "submit" }, "Search"));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      found.textContent = "Searching …";
      search(box.value);
    });
    root.append(form);
  }
  root.append(found);
  const place = target && document.querySelector(target);
  if (place) {
    place.append(host);
  } else {
    script.after(host);
  }
})();
