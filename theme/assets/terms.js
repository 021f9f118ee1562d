// Shows the definition of a glossary term beside the link that leads to it: while the mouse is on the link or on the
// note, while the link has the focus, and on touch after the first tap (the second follows the link). Escape closes it.
// Without JavaScript the definition is the link's "title".

const LINK = "a.term";
const TAP_AGAIN = "Tap the word again for the glossary.";
const EDGE = 12; // px that a note stays away from the sides of the screen
const ENTER_MS = 150; // a mouse on its way across the text opens nothing
const LEAVE_MS = 200; // and has time to reach the note

const notes = new Map(); // address of a term → its note
let shown = null; // the link whose note is open
let timer = 0;
let firstTap = false; // the finger is on a link whose note was closed

const noteOf = (link) => notes.get(link.getAttribute("href"));

/** Make one note for each term of the page, and tell screen readers which link it describes. */
function prepare() {
  const article = document.querySelector("article");
  for (const link of document.querySelectorAll(LINK)) {
    const address = link.getAttribute("href");
    if (!notes.has(address)) {
      const note = document.createElement("div");
      note.id = `note-${link.hash.slice(1)}`;
      note.className = "term-note";
      note.setAttribute("role", "tooltip");
      note.textContent = link.title;
      note.hidden = true;
      article.append(note);
      notes.set(address, note);
    }
    link.setAttribute("aria-describedby", noteOf(link).id);
    link.removeAttribute("title"); // the browser would show it as well
  }
}

function place(link, note) {
  const lines = link.getClientRects();
  const [first, last] = [lines[0], lines[lines.length - 1]];
  const above = last.bottom + note.offsetHeight + EDGE > innerHeight && first.top - note.offsetHeight > innerHeight / 4;
  const beside = above ? first : last;
  const origin = note.offsetParent.getBoundingClientRect();
  const rightmost = document.documentElement.clientWidth - note.offsetWidth - EDGE;
  note.style.left = `${Math.max(EDGE, Math.min(beside.left, rightmost)) - origin.left}px`;
  note.style.top = `${(above ? first.top - note.offsetHeight - 4 : last.bottom + 4) - origin.top}px`;
}

function show(link, { touched = false } = {}) {
  clearTimeout(timer);
  if (shown !== link) hide();
  shown = link;
  const note = noteOf(link);
  note.hidden = false;
  note.dataset.hint = touched ? TAP_AGAIN : "";
  place(link, note);
}

function hide() {
  clearTimeout(timer);
  if (shown) noteOf(shown).hidden = true;
  shown = null;
}

function later(action, milliseconds) {
  clearTimeout(timer);
  timer = setTimeout(action, milliseconds);
}

const termAt = (target) => (target instanceof Element ? target.closest(LINK) : null);
const onNote = (target) => target instanceof Element && target.closest(".term-note") !== null;

// On the document, because the quiz copies explanations, links and all.
document.addEventListener("mouseover", ({ target }) => {
  const link = termAt(target);
  if (link && link !== shown) later(() => show(link), ENTER_MS);
  else if (link || onNote(target)) clearTimeout(timer);
  else if (shown && shown !== document.activeElement) later(hide, LEAVE_MS);
  else clearTimeout(timer);
});
document.addEventListener("focusin", ({ target }) => {
  const link = termAt(target);
  if (link) show(link);
});
document.addEventListener("focusout", ({ target }) => {
  if (termAt(target)) hide();
});
document.addEventListener("pointerdown", ({ target, pointerType }) => {
  const link = termAt(target);
  firstTap = link !== null && pointerType === "touch" && link !== shown;
  if (!link && !onNote(target)) hide();
});
document.addEventListener("click", (event) => {
  const link = termAt(event.target);
  if (link && firstTap) {
    event.preventDefault();
    show(link, { touched: true });
  }
  firstTap = false;
});
document.addEventListener("keydown", ({ key }) => {
  if (key === "Escape") hide();
});
addEventListener("resize", hide);

prepare();
