class Wipe {
  constructor(root) {
    this.root = root;
    this.find = (selector) => root.querySelector(selector);
    this.pictures = new Pictures();
    this.slider = this.find("input");
    this.slider.addEventListener("input", () => this.draw());
    const pane = this.find(".pane");
    const follow = (event) => {
      const box = pane.getBoundingClientRect();
      this.slider.value = Math.round(100 * between(0, (event.clientX - box.left) / box.width, 1));
      this.draw();
    };
    pane.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      pane.setPointerCapture(event.pointerId);
      follow(event);
    });
    pane.addEventListener("pointermove", (event) => pane.hasPointerCapture(event.pointerId) && follow(event));
  }

  leave() {
    this.pictures.leave();
  }

  async show({ digest, names, label, parts }) {
    if (digest === this.digest) return;
    this.digest = digest;
    const sources = await this.pictures.load(parts);
    if (sources === null) return;
    const { naturalWidth, naturalHeight } = this.pictures.first;
    this.root.style.setProperty("--aspect", naturalWidth / naturalHeight);
    this.root.classList.toggle("sharp", this.find(".pane").clientWidth * devicePixelRatio >= naturalWidth);
    ["before", "after"].forEach((which, i) => Object.assign(this.find(`.${which}`), { src: sources[i], alt: names[i] }));
    this.find(".left").textContent = names[0];
    this.find(".right").textContent = names[1];
    this.slider.setAttribute("aria-label", label);
    this.names = names;
    this.draw();
  }

  draw() {
    const share = Number(this.slider.value);
    this.root.style.setProperty("--share", share / 100);
    this.slider.setAttribute("aria-valuetext", `${share} % ${this.names?.[0] ?? ""}`);
  }
}

export default (component) => mount(Wipe, ".wipe", component);
