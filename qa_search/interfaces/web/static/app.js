// What the pages can do beyond links and forms. Without this, everything else works all the same.

const form = document.querySelector("form[role=search]");
const said = document.getElementById("said");
const SAID_FOR = 5000; // milliseconds

for (const element of document.querySelectorAll("[data-copy], [data-with-script]")) {
  element.hidden = false;
}

// Enter searches, Shift+Enter starts a new line. While an input method composes a word, Enter belongs to it
// (Safari says so only by the code 229).
form?.elements.q.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229) {
    event.preventDefault();
    form.requestSubmit();
  }
});

// Screen readers tell of changes only, so how many posts were found is put in once more after loading.
const found = document.querySelector("#found [role=status]");
if (found) {
  const text = found.textContent;
  found.textContent = "";
  requestAnimationFrame(() => {
    found.textContent = text;
  });
}

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
  const done = await copy(link ? location.href : answerWithSource(button));
  say(done ? `Copied ${link ? "the link" : "the answer with its source"}.` : "This browser does not let pages copy.");
});
