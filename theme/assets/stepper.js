// Lets the reader drive a figure frame by frame: buttons, a slider, arrow keys. The page holds the still; the other
// frames are fetched when the figure is first used. The still stays in the page, for paper.

const SCHEMES = ["light", "dark"];

const element = (tag, properties) => Object.assign(document.createElement(tag), properties);

class Stepper {
  constructor(figure) {
    this.figure = figure;
    this.frames = JSON.parse(figure.dataset.frames);
    this.place = Number(figure.dataset.still);
    this.stills = SCHEMES.map((scheme) => figure.querySelector(`img.only-${scheme}`));
    this.buildControls();
    this.update();
  }

  buildControls() {
    const last = this.frames.length - 1;
    const button = (sign, name, by) => {
      const made = element("button", { type: "button", className: "stepper__button", textContent: sign });
      made.setAttribute("aria-label", name);
      made.addEventListener("click", () => this.go(this.place + by));
      return made;
    };
    this.previous = button("←", "Previous frame", -1);
    this.next = button("→", "Next frame", 1);
    this.slider = element("input", { type: "range", min: 0, max: last, step: 1, autocomplete: "off" });
    this.slider.setAttribute("aria-label", "Frame");
    this.slider.addEventListener("input", () => this.go(this.slider.valueAsNumber));
    this.count = element("span", { className: "stepper__count" });
    this.count.setAttribute("aria-hidden", "true"); // the slider says it
    this.status = element("p", { className: "stepper__status" });
    this.status.setAttribute("role", "status");

    const controls = element("div", { className: "stepper__controls" });
    controls.setAttribute("role", "group");
    controls.setAttribute("aria-label", "Frames of this figure");
    controls.append(this.previous, this.slider, this.count, this.next, this.status);
    controls.addEventListener("keydown", (event) => this.onKey(event));
    this.stills[1].after(controls);
  }

  /** The arrow keys, Home and End, wherever the focus is within the controls. */
  onKey(event) {
    const last = this.frames.length - 1;
    const [before, after] = [this.place - 1, this.place + 1];
    const keys = { ArrowLeft: before, ArrowDown: before, ArrowRight: after, ArrowUp: after, Home: 0, End: last };
    if (!(event.key in keys) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault(); // the slider would move a second time, the page would scroll
    this.go(keys[event.key]);
  }

  go(place) {
    const reached = Math.max(0, Math.min(place, this.frames.length - 1));
    if (reached === this.place) return;
    const first = !this.images;
    if (first) this.addImages();
    this.place = reached;
    const { text } = this.frames[reached];
    for (const [index, image] of this.images.entries()) {
      image.src = this.frames[reached][SCHEMES[index]];
      image.alt = text;
    }
    this.status.textContent = text;
    this.update();
    if (first) this.replaceStill();
  }

  /** Images that change, beside the stills, which do not. Not copies: those would fetch what nobody sees. */
  addImages() {
    this.images = this.stills.map((still) => {
      const image = element("img", { className: `${still.className} stepper__frame`, loading: "lazy" });
      for (const name of ["width", "height"]) image.setAttribute(name, still.getAttribute(name));
      still.classList.add("stepper__still");
      still.after(image);
      return image;
    });
  }

  /** Show the first frame when it has arrived; whoever has asked for one will ask for others, so fetch those. */
  async replaceStill() {
    const shown = this.stills.findIndex((still) => still.checkVisibility());
    this.images[shown].loading = "eager"; // it is not displayed yet
    await this.images[shown].decode().catch(() => {});
    this.figure.dataset.used = "";
    const others = this.frames.filter((_, place) => place !== this.place && place !== Number(this.figure.dataset.still));
    this.fetched = others.map((frame) => element("img", { src: frame[SCHEMES[shown]] }));
  }

  update() {
    const last = this.frames.length - 1;
    this.slider.value = this.place;
    this.count.textContent = `${this.place + 1} of ${last + 1}`;
    this.slider.setAttribute("aria-valuetext", this.count.textContent);
    // Not "disabled": that would take the focus away from a keyboard at the last frame.
    this.previous.setAttribute("aria-disabled", String(this.place === 0));
    this.next.setAttribute("aria-disabled", String(this.place === last));
  }
}

for (const figure of document.querySelectorAll("figure.stepper")) new Stepper(figure);
