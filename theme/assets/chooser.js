// Asks the questions of a decision tree one at a time. The page holds the whole tree, folded, and a text for every
// outcome; this reads the questions from the form's data and shows a copy of the outcome's text. The answers given are
// in the address, so that a result can be sent to others and the browser's own back and forward work.

const PREFIX = "#choose/";
const CHOSEN = "Your answers";
const BACK = "Back";
const AGAIN = "Start again";
const SHARE = "Link to this result";
const CHANGE = "Change";
const STALE = "The address names an answer that is not in the tree any more. What came before it is kept.";

const HEADER = 60; // px at the top of the screen that the site's header may cover

const element = (tag, properties, ...children) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};

class Chooser {
  constructor(root) {
    this.root = root;
    this.tree = JSON.parse(root.dataset.tree);
    this.stage = element("div", { className: "chooser__stage" });
    this.trail = element("div", { className: "chooser__trail" });
    this.status = element("p", { className: "chooser__status" });
    this.status.setAttribute("role", "status");
    root.append(this.stage, this.trail, this.status);
    root.setAttribute("role", "group");
    root.setAttribute("aria-label", "Optimizer chooser");
    addEventListener("popstate", () => this.follow());
    this.follow();
  }

  /** Show what the address says; move the reader there only if it says anything. */
  follow() {
    const given = location.hash.startsWith(PREFIX) ? location.hash.slice(PREFIX.length).split("/").filter(Boolean) : [];
    const known = this.walk(given);
    const moved = given.length > 0 || this.answers !== undefined;
    this.show(known, { focus: moved && (location.hash === "" || location.hash.startsWith(PREFIX)) });
    if (known.length < given.length) this.say(STALE, { visible: true });
  }

  /** The answers that these ids name, up to the first that names none. */
  walk(ids) {
    const answers = [];
    let place = this.tree.first;
    for (const id of ids) {
      const answer = this.tree.questions[place]?.answers.find((one) => one.id === id);
      if (!answer) break;
      answers.push({ ...answer, ask: this.tree.questions[place].ask });
      place = answer.to;
    }
    return answers;
  }

  address(answers) {
    return answers.length ? PREFIX + answers.map(({ id }) => id).join("/") : location.pathname + location.search;
  }

  go(answers) {
    history.pushState(null, "", this.address(answers));
    this.show(answers, { focus: true });
  }

  show(answers, { focus }) {
    this.answers = answers;
    const place = answers.at(-1)?.to ?? this.tree.first;
    const title = this.tree.outcomes[place];
    const head = title ? this.showOutcome(place) : this.showQuestion(place);
    this.showTrail();
    this.say(title ? `Found: ${title}` : "");
    if (!focus) return;
    head.focus({ preventScroll: true });
    const { top, bottom } = head.getBoundingClientRect();
    if (top < HEADER || bottom > innerHeight) this.root.scrollIntoView();
  }

  /** Politely, to screen readers; visibly where nothing else on the page says it. */
  say(text, { visible = false } = {}) {
    this.status.classList.toggle("chooser__status--visible", visible);
    this.status.textContent = text;
  }

  showQuestion(place) {
    const { ask, answers } = this.tree.questions[place];
    const legend = element("legend", { tabIndex: -1, textContent: ask });
    const buttons = answers.map(({ id, text }) => {
      const button = element("button", { type: "button", className: "chooser__answer", textContent: text });
      button.addEventListener("click", () => this.go(this.walk([...this.answers.map((answer) => answer.id), id])));
      return button;
    });
    this.stage.replaceChildren(element("fieldset", { className: "chooser__question" }, legend, ...buttons));
    return legend;
  }

  showOutcome(place) {
    const copy = document.getElementById(`outcome-${place}`).cloneNode(true);
    copy.removeAttribute("id");
    for (const part of copy.querySelectorAll("[id]")) part.removeAttribute("id");
    const head = copy.firstElementChild;
    head.tabIndex = -1;
    const link = element("a", { href: this.address(this.answers), textContent: SHARE });
    this.stage.replaceChildren(copy, element("p", {}, link));
    return head;
  }

  showTrail() {
    const { answers } = this;
    if (answers.length === 0) {
      this.trail.replaceChildren();
      return;
    }
    const items = answers.map(({ ask, text }, number) => {
      const change = element("button", { type: "button", className: "chooser__change", textContent: CHANGE });
      change.setAttribute("aria-label", `${CHANGE}: ${ask} ${text}`);
      change.addEventListener("click", () => this.go(answers.slice(0, number)));
      return element("li", {}, `${ask} `, element("strong", { textContent: text }), " ", change);
    });
    const button = (textContent, kept) => {
      const made = element("button", { type: "button", className: "md-button", textContent });
      made.addEventListener("click", () => this.go(kept));
      return made;
    };
    this.trail.replaceChildren(
      element("p", { className: "chooser__head", textContent: CHOSEN }),
      element("ol", {}, ...items),
      element("p", { className: "chooser__moves" }, button(BACK, answers.slice(0, -1)), button(AGAIN, [])),
    );
  }
}

for (const root of document.querySelectorAll(".chooser")) new Chooser(root);
