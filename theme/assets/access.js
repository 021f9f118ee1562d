// What Material leaves undone for readers who use a keyboard or a screen reader.

// A box that scrolls sideways must be a stop for the Tab key, or a keyboard cannot reach its far end. A box that fits
// must not be one, or the key stops for nothing. Which of the two it is depends on the screen.
const BOXES = {
  ".math": "Formula",
  ".md-typeset__scrollwrap": "Table",
  ".jp-OutputArea-output": "Output",
};

function update(box) {
  if (box.scrollWidth > box.clientWidth) {
    box.tabIndex = 0;
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", `${box.dataset.scrolls}, scrolls sideways`);
  } else {
    for (const attribute of ["tabindex", "role", "aria-label"]) box.removeAttribute(attribute);
  }
}

function watchBoxes() {
  const observer = new ResizeObserver((entries) => entries.forEach((entry) => update(entry.target)));
  for (const [selector, name] of Object.entries(BOXES)) {
    for (const box of document.querySelectorAll(selector)) {
      box.dataset.scrolls = name;
      observer.observe(box);
    }
  }
}

// Material wraps the "Copy" button of every listing in a <nav>: ten listings, ten nameless navigations to skip.
function unmarkCodeButtons() {
  for (const nav of document.querySelectorAll(".md-code__nav")) nav.setAttribute("role", "none");
}

// A section of the menu that has a page of its own leaves Material's menu without a name for the list below it.
function nameMenus() {
  for (const nav of document.querySelectorAll("nav.md-nav[aria-labelledby]")) {
    const label = document.getElementById(nav.getAttribute("aria-labelledby"));
    const title = nav.querySelector(".md-nav__title");
    if (label?.textContent.trim() || !title) continue;
    nav.removeAttribute("aria-labelledby");
    nav.setAttribute("aria-label", title.textContent.trim());
  }
}

// Material wraps tables and adds buttons when the document is ready; "load" comes after that.
addEventListener("load", () => {
  watchBoxes();
  unmarkCodeButtons();
  nameMenus();
});
