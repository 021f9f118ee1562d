// Makes the quizzes of a page answerable. The page holds everything already: the questions, options as radio buttons,
// the explanations in a "details" element below each. This adds the field of a number question, and hides the
// explanations until the reader has answered.

const CHECK = "Check";
const AGAIN = "Try again";
const CHOOSE_FIRST = "Choose an answer first.";
const TYPE_FIRST = "Type a number first.";
const EXPLAINED = { choice: "All answers explained", number: "The answer and the usual mistakes" };
const YOUR_NUMBER = "Your number";
const NOT_A_NUMBER = "This is not a number that can be read here. Write it like 0.25, −3 or 1e-4.";
const AMBIGUOUS = "Does the comma group thousands, or is it a decimal point? Write the number without it.";

const element = (tag, properties) => Object.assign(document.createElement(tag), properties);

class Question {
  constructor(fieldset, changed) {
    this.answers = fieldset.querySelector("details");
    this.answers.hidden = true;
    this.changed = changed;

    this.feedback = element("div", { className: "quiz__feedback" });
    this.feedback.setAttribute("aria-live", "polite");
    this.button = element("button", { type: "button", className: "md-button quiz__check", textContent: CHECK });
    this.button.addEventListener("click", () => this.check());
    this.answers.before(this.button, this.feedback);
  }

  /** Show the explanation of an option or a number, an item of the list of answers. */
  explain(answer) {
    this.state = answer.dataset.right === "true" ? "right" : "wrong";
    this.feedback.dataset.state = this.state;
    this.feedback.append(answer.querySelector(".quiz__why").cloneNode(true));
    // Only now: before, it would answer the question for the reader.
    this.answers.hidden = this.state !== "right";
    this.changed();
  }

  clear() {
    this.state = undefined;
    delete this.feedback.dataset.state;
    this.feedback.replaceChildren();
    this.answers.hidden = true;
    this.answers.open = false;
    this.changed();
  }

  reset() {
    this.clear();
  }
}

class Choice extends Question {
  constructor(fieldset, changed) {
    super(fieldset, changed);
    this.inputs = [...fieldset.querySelectorAll("input[type=radio]")];
    this.answers.querySelector("summary").textContent = EXPLAINED.choice;
    // A mark stands beside the answer that was checked, and nowhere else.
    for (const input of this.inputs) input.addEventListener("change", () => this.clear());
    this.clear();
  }

  check() {
    const chosen = this.inputs.find((input) => input.checked);
    this.clear();
    if (!chosen) {
      this.feedback.textContent = CHOOSE_FIRST;
      return;
    }
    this.explain(document.getElementById(chosen.value));
    chosen.closest("label").dataset.state = this.state;
  }

  clear() {
    for (const input of this.inputs) delete input.closest("label").dataset.state;
    super.clear();
  }
}

/**
 * Read a number as people type it: 0.25, −3, 1e-4, 2 × 10^-3, and 0,25 with a decimal comma.
 * Returns a string, the reason, where it cannot be read or could be two numbers: 1,234.
 */
export function readNumber(typed) {
  const text = typed
    .replace(/[\s\u00a0\u2009\u202f]/g, "")
    .replace(/[−–]/g, "-")
    .replace(/[×x*]10\^\(?([+-]?\d+)\)?$/i, "e$1");
  if (!text) return TYPE_FIRST;
  if (/^[+-]?[1-9]\d{0,2}(,\d{3})+$/.test(text)) return AMBIGUOUS;
  const pointed = text.includes(".") ? text : text.replace(",", ".");
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(pointed) ? Number(pointed) : NOT_A_NUMBER;
}

class NumberQuestion extends Question {
  constructor(fieldset, changed) {
    super(fieldset, changed);
    this.field = element("input", { type: "text", className: "quiz__field", autocomplete: "off", spellcheck: false });
    this.inputs = [this.field];
    this.label = element("label", { className: "quiz__number" });
    this.label.append(element("span", { textContent: YOUR_NUMBER }), this.field);
    this.button.before(this.label);
    this.answers.querySelector("summary").textContent = EXPLAINED.number;
    this.items = [...this.answers.querySelectorAll("li")];
    this.misses = 0;
    this.field.addEventListener("input", () => this.clear());
    this.clear();
  }

  check() {
    const number = readNumber(this.field.value);
    this.clear();
    if (typeof number === "string") {
      this.feedback.textContent = number;
      return;
    }
    const known = this.recognise(number);
    if (known) this.explain(known);
    else this.miss(number);
    if (this.state === "wrong") this.misses += 1;
    // A number cannot be found by trying what is left.
    if (this.misses >= 2) this.answers.hidden = false;
    this.label.dataset.state = this.state;
  }

  /** The item whose number this is: the answer, else the nearest mistake. */
  recognise(number) {
    const [answer, ...mistakes] = this.items;
    if (this.distance(answer, number) <= 1) return answer;
    mistakes.sort((a, b) => this.distance(a, number) - this.distance(b, number));
    return this.distance(mistakes[0], number) <= 1 ? mistakes[0] : null;
  }

  /** How far a number is from an item's, in tolerances; a hair less, for what rounding adds to 0.4 - 0.3. */
  distance(item, number) {
    const value = Number(item.dataset.value);
    const gap = Math.abs(number - value) - 1e-12 * Math.abs(value);
    if (gap <= 0) return 0;
    return gap / Number(item.dataset.tolerance);
  }

  /** A wrong number that no known mistake gives. */
  miss(number) {
    this.state = "wrong";
    this.feedback.dataset.state = this.state;
    const { value, tolerance } = this.items[0].dataset;
    const near = this.distance(this.items[0], number) <= 5;
    const opposite = Number(value) !== 0 && this.distance(this.items[0], -number) <= 1;
    const why = opposite
      ? "The size is right, the sign is not."
      : near
        ? `Close, but the answer is asked for to within ${Number(tolerance)}. Keep more digits on the way.`
        : "None of the usual mistakes gives this number. Check each factor, and which way round a fraction stands.";
    const paragraph = element("p", { className: "quiz__why" });
    paragraph.append(element("strong", { textContent: "Not this one." }), ` ${why}`);
    this.feedback.append(paragraph);
    this.changed();
  }

  clear() {
    if (this.label) delete this.label.dataset.state;
    super.clear();
  }

  reset() {
    this.misses = 0;
    super.reset();
  }
}

export function enhance(form) {
  const score = element("p", { className: "quiz__score" });
  score.setAttribute("role", "status");
  const again = element("button", { type: "reset", className: "md-button quiz__again", textContent: AGAIN });
  const questions = [];

  const update = () => {
    const checked = questions.filter((question) => question.state).length;
    const right = questions.filter((question) => question.state === "right").length;
    // One question alone needs no sum.
    score.textContent = checked && questions.length > 1 ? `${right} of ${questions.length} right` : "";
    again.hidden = checked === 0;
  };

  for (const fieldset of form.querySelectorAll("fieldset")) {
    const Kind = fieldset.querySelector("input[type=radio]") ? Choice : NumberQuestion;
    questions.push(new Kind(fieldset, update));
  }
  update();

  const foot = element("div", { className: "quiz__foot" });
  foot.append(score, again);
  form.append(foot);

  // Enter on an option or in a field checks its question. (Left alone, browsers differ on whether it submits the form.)
  form.addEventListener("keydown", (event) => {
    const question = questions.find(({ inputs }) => inputs.includes(event.target));
    if (event.key !== "Enter" || !question) return;
    event.preventDefault();
    question.check();
  });
  form.addEventListener("reset", () => {
    for (const question of questions) question.reset();
    // The button that had the focus is gone, and a keyboard reader would start again at the top of the page.
    questions[0].inputs[0].focus();
  });
}

for (const form of document.querySelectorAll("form[data-quiz]")) enhance(form);
