class PlacePicker {
  constructor(root) {
    this.root = root;
    this.find = (selector) => root.querySelector(selector);
    this.pictures = new Pictures();
    this.photo = this.find(".photo");
    this.held = false;
    this.listen();
  }

  leave() {
    this.pictures.leave();
  }

  async show({ digest, patch, label, parts }) {
    if (digest === this.digest) return;
    this.digest = digest;
    const sources = await this.pictures.load(parts);
    if (sources === null) return;
    const image = this.find("img");
    const { naturalWidth, naturalHeight } = this.pictures.kept[0];
    this.size = { x: naturalWidth, y: naturalHeight };
    this.patch = { x: patch[2], y: patch[3] };
    image.src = sources[0];
    image.alt = label;
    this.photo.setAttribute("aria-label", label);
    this.root.style.setProperty("--aspect", naturalWidth / naturalHeight);
    this.reported = { x: patch[0], y: patch[1] };
    // A hand on the patch is not interrupted.
    if (!this.held) this.put(patch[0], patch[1]);
  }

  // Puts the top left corner on the pixel nearest to (x, y), the patch wholly inside the photo.
  put(x, y) {
    const inside = (name, share) => {
      const last = Math.floor((1 - this.patch[name]) * this.size[name] + 1e-6);
      return between(0, Math.round(share * this.size[name]), last) / this.size[name];
    };
    this.place = { x: inside("x", x), y: inside("y", y) };
    const { style } = this.find(".patch");
    style.left = `${100 * this.place.x}%`;
    style.top = `${100 * this.place.y}%`;
    style.width = `${100 * this.patch.x}%`;
    style.height = `${100 * this.patch.y}%`;
    const percent = (share) => `${Math.round(1000 * share) / 10} %`;
    this.find(".place").textContent = `${percent(this.place.x)} from the left, ${percent(this.place.y)} from the top`;
  }

  report() {
    if (!this.place || (this.place.x === this.reported.x && this.place.y === this.reported.y)) return;
    this.reported = { ...this.place };
    this.streamlit.setTriggerValue("placed", [this.place.x, this.place.y]);
  }

  listen() {
    const { photo } = this;
    const share = ({ clientX, clientY }) => {
      const box = photo.getBoundingClientRect();
      return { x: (clientX - box.left) / box.width, y: (clientY - box.top) / box.height };
    };
    let grip;
    let before;

    photo.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || this.held || !this.place) return;
      this.held = true;
      photo.setPointerCapture(event.pointerId);
      before = this.place;
      const at = share(event);
      // The patch is held where it is touched; elsewhere on the photo it comes to the finger, by its middle.
      const { x, y } = this.place;
      const on = event.target === this.find(".patch");
      grip = on ? { x: at.x - x, y: at.y - y } : { x: this.patch.x / 2, y: this.patch.y / 2 };
      this.put(at.x - grip.x, at.y - grip.y);
    });
    photo.addEventListener("pointermove", (event) => {
      if (!this.held) return;
      const at = share(event);
      this.put(at.x - grip.x, at.y - grip.y);
    });
    photo.addEventListener("pointerup", () => {
      if (!this.held) return;
      this.held = false;
      this.report();
    });
    photo.addEventListener("pointercancel", () => {
      // The finger scrolls the page instead.
      this.held = false;
      this.put(before.x, before.y);
    });
    const arrows = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
    photo.addEventListener("keydown", (event) => {
      const arrow = arrows[event.key];
      if (!arrow || !this.place || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      const far = event.shiftKey ? 10 : 1;
      this.put(this.place.x + (arrow[0] * far) / this.size.x, this.place.y + (arrow[1] * far) / this.size.y);
    });
    photo.addEventListener("keyup", (event) => arrows[event.key] && this.report());
    photo.addEventListener("blur", () => this.held || this.report());
  }
}

export default (component) => mount(PlacePicker, ".placing", component);
