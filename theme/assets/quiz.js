// Makes the quizzes of a page answerable. The page holds everything already: the questions as radio buttons, the
// explanations in a "details" element below each. This hides the explanations until the reader has chosen.

const CHECK = "Check";
const AGAIN = "Try again";
const CHOOSE_FIRST = "Choose an answer first.";
const EXPLAINED = "All answers explained";

const element = (tag, properties) => Object.assign(document.createElement(tag), properties);

class Question {
  constructor(fieldset, changed) {
    this.inputs = [...fieldset.querySelectorAll("input[type=radio]")];
    this.answers = fieldset.querySelector("details");
    this.answers.hidden = true;
    this.answers.querySelector("summary").textContent = EXPLAINED;
    this.changed = changed;

    this.feedback = element("div", { className: "quiz__feedback" });
    this.feedback.setAttribute("aria-live", "polite");
    const button = element("button", { type: "button", className: "md-button quiz__check", textContent: CHECK });
    button.addEventListener("click", () => this.check());
    this.answers.before(button, this.feedback);

    // A mark stands beside the answer that was checked, and nowhere else.
    for (const input of this.inputs) input.addEventListener("change", () => this.clear());
    this.clear();
  }

  /** Show why the chosen option is right or wrong. */
  check() {
    const chosen = this.inputs.find((input) => input.checked);
    this.clear();
    if (!chosen) {
      this.feedback.textContent = CHOOSE_FIRST;
      return;
    }
    const answer = document.getElementById(chosen.value);
    this.state = answer.dataset.right === "true" ? "right" : "wrong";
    chosen.closest("label").dataset.state = this.state;
    this.feedback.dataset.state = this.state;
    this.feedback.append(answer.querySelector(".quiz__why").cloneNode(true));
    // Only now: before, it would answer the question for the reader.
    this.answers.hidden = this.state !== "right";
    this.changed();
  }

  clear() {
    this.state = undefined;
    for (const input of this.inputs) delete input.closest("label").dataset.state;
    delete this.feedback.dataset.state;
    this.feedback.replaceChildren();
    this.answers.hidden = true;
    this.answers.open = false;
    this.changed();
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
    score.textContent = checked ? `${right} of ${questions.length} right` : "";
    again.hidden = checked === 0;
  };

  for (const fieldset of form.querySelectorAll("fieldset")) questions.push(new Question(fieldset, update));
  update();

  const foot = element("div", { className: "quiz__foot" });
  foot.append(score, again);
  form.append(foot);

  // Enter on an option checks its question. (Left alone, browsers differ on whether it submits the form.)
  form.addEventListener("keydown", (event) => {
    const question = questions.find(({ inputs }) => inputs.includes(event.target));
    if (event.key !== "Enter" || !question) return;
    event.preventDefault();
    question.check();
  });
  form.addEventListener("reset", () => {
    for (const question of questions) question.clear();
    // The button that had the focus is gone, and a keyboard reader would start again at the top of the page.
    questions[0].inputs[0].focus();
  });
}

for (const form of document.querySelectorAll("form[data-quiz]")) enhance(form);
