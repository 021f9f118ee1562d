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

  /** The violations that axe-core finds, by all of its rules or those named. */
  async axe(rules) {
    const options = { resultTypes: ["violations"], ...(rules && { runOnly: rules }) };
    const { violations } = await window.axe.run(document, options);
    return violations.flatMap(({ id, help, nodes }) =>
      nodes.map(({ target, failureSummary }) => {
        const reason = failureSummary.split("\n").slice(1).join(" ").trim();
        return `${id}: ${help}\n    at ${target.join(" ")}\n    ${reason}`;
      }),
    );
  },
};
