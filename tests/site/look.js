// What test_every_page.py asks of a page. Runs in the page, before the page's own scripts.

window.look = {
  /**
   * Open all that a reader can open: hints, solutions, another frame of each stepper, a result of the chooser, a term's
   * definition, and the answers of a quiz after a wrong and a right one.
   */
  openAll() {
    for (const details of document.querySelectorAll("details")) details.open = true;
    for (const [number, question] of document.querySelectorAll(".quiz fieldset").entries()) {
      const wanted = String(number % 2 === 1); // the first question wrong, the second right, and so on
      const answer = question.querySelector(`li[data-right="${wanted}"]`);
      const option = question.querySelector(`input[value="${answer.id}"]`);
      if (option) option.click();
      else question.querySelector(".quiz__field").value = answer.dataset.value;
      question.querySelector(".quiz__check").click();
    }
    for (const controls of document.querySelectorAll(".stepper__controls")) {
      controls.querySelector('button[aria-disabled="false"]').click();
    }
    // The first answer to every question, up to a result.
    for (let next; (next = document.querySelector(".chooser__answer")); ) next.click();
    document.querySelector("a.term")?.focus();
  },

  /** Text that looks like TeX, outside code. */
  rawTex() {
    const body = document.body.cloneNode(true);
    for (const part of body.querySelectorAll("code, pre, script, style, math")) part.remove();
    return body.textContent.match(/.{0,30}(?:\\[([\])]|\$\$|\\[a-zA-Z]{2,}).{0,30}/g) ?? [];
  },

  formulas() {
    const middle = (element) => {
      const box = element.getBoundingClientRect();
      return box.height > 0 ? (box.top + box.bottom) / 2 : NaN;
    };
    return [...document.querySelectorAll("math")].filter((math) => math.checkVisibility()).map((math) => ({
      text: math.textContent,
      font: getComputedStyle(math).fontFamily,
      width: math.getBoundingClientRect().width,
      height: math.getBoundingClientRect().height,
      upright: [...math.querySelectorAll("mfrac")].every(
        ({ children: [numerator, denominator] }) => middle(numerator) < middle(denominator),
      ),
    }));
  },

  /** Whether the math font is there, after all fonts that the page asked for have arrived. */
  async mathFont() {
    await document.fonts.ready;
    return document.fonts.check('16px "STIX Two Math"');
  },

  async figures() {
    const shown = (image) => image.checkVisibility() && image.getBoundingClientRect().width > 0;
    // Images further down load when they come near: ask for all of them.
    const images = [...document.images].filter(shown);
    for (const image of images) image.loading = "eager";
    await Promise.all(images.map((image) => image.decode().catch(() => {})));
    return [...document.querySelectorAll("figure.run-figure")]
      .filter((figure) => figure.checkVisibility())
      .map((figure) =>
        [...figure.querySelectorAll("img")].map((image) => ({
          src: image.getAttribute("src"),
          classes: [...image.classList],
          shown: shown(image),
          drawn: image.naturalWidth > 0,
        })),
      );
  },

  withoutAlt() {
    const images = [...document.querySelectorAll("article img")].filter((image) => !image.alt.trim());
    return images.map((image) => image.outerHTML.slice(0, 120));
  },

  /** By how many pixels the page is wider than the screen. */
  tooWide() {
    return document.scrollingElement.scrollWidth - document.documentElement.clientWidth;
  },

  /** Switch to the dark scheme, with the site's own switch. */
  darken() {
    document.querySelector('input[data-md-color-scheme="slate"]').click();
    return this.nextFrame();
  },

  /** Two frames: whatever answers to a new size has done so. */
  nextFrame() {
    return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))));
  },

  /**
   * An element for each way in which text is set: colour, size, weight, and the grounds it stands on. Whatever is taken
   * out of the flow may lie over something else, and counts as a ground of its own.
   */
  kindsOfText() {
    const kinds = new Map();
    const grounds = new Map([[null, ""]]);
    const ground = (element) => {
      if (!grounds.has(element)) {
        const { backgroundColor, backgroundImage, opacity, position } = getComputedStyle(element);
        const away = position === "static" || position === "relative" ? "" : grounds.size;
        const own = [backgroundColor, backgroundImage, opacity, away].join();
        const seen = own !== "rgba(0, 0, 0, 0),none,1,";
        grounds.set(element, (seen ? own + "; " : "") + ground(element.parentElement));
      }
      return grounds.get(element);
    };
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const element = texts.currentNode.parentElement;
      if (!texts.currentNode.data.trim() || !element.checkVisibility()) continue;
      const { color, fontSize, fontWeight } = getComputedStyle(element);
      const kind = [color, fontSize, fontWeight, ground(element)].join("; ");
      if (!kinds.has(kind)) kinds.set(kind, element);
    }
    return [...kinds.values()];
  },

  /** The violations of contrast. To look at every word takes axe-core a second and more; at every kind, a fifth. */
  contrast() {
    return this.axe(["color-contrast"], { include: this.kindsOfText() });
  },

  /** The violations that axe-core finds, by the rules named or all of its rules but that of contrast. */
  async axe(rules, context = document) {
    const options = rules ? { runOnly: rules } : { rules: { "color-contrast": { enabled: false } } };
    const { violations } = await window.axe.run(context, { resultTypes: ["violations"], ...options });
    return violations.flatMap(({ id, help, nodes }) =>
      nodes.map(({ target, failureSummary }) => {
        const reason = failureSummary.split("\n").slice(1).join(" ").trim();
        return `${id}: ${help}\n    at ${target.join(" ")}\n    ${reason}`;
      }),
    );
  },
};
