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

  async show({ digest, patch, degrees, sides, label, parts }) {
    if (digest === this.digest) return;
    this.digest = digest;
    const sources = await this.pictures.load(parts);
    if (sources === null) return;
    const image = this.find(".under");
    const { naturalWidth, naturalHeight } = this.pictures.first;
    this.size = { x: naturalWidth, y: naturalHeight };
    this.sides = sides;
    image.src = sources[0];
    image.alt = label;
    this.photo.setAttribute("aria-label", label);
    this.root.style.setProperty("--aspect", naturalWidth / naturalHeight);
    const own = this.find(".own");
    own.hidden = sources.length < 2;
    if (!own.hidden) own.src = sources[1];
    this.root.querySelectorAll(".knob, .shaping").forEach((part) => (part.hidden = sides === null));
    this.reported = { x: patch[0], y: patch[1], width: patch[2], degrees };
    // A hand on the patch is not interrupted.
    if (this.held) return;
    this.patch = { x: patch[2], y: patch[3] };
    this.degrees = degrees;
    this.put(patch[0], patch[1]);
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
    // CSS turns clockwise.
    style.transform = `rotate(${-this.degrees}deg)`;
    const percent = (share) => `${Math.round(1000 * share) / 10} %`;
    const turned = this.degrees ? `, turned by ${this.degrees}°` : "";
    const wide = this.sides ? `, ${percent(this.patch.x)} wide${turned}` : "";
    this.find(".place").textContent =
      `${percent(this.place.x)} from the left, ${percent(this.place.y)} from the top${wide}`;
  }

  // Makes the patch `width` wide, a share of the photo, around its middle.
  resize(width) {
    const middle = { x: this.place.x + this.patch.x / 2, y: this.place.y + this.patch.y / 2 };
    const factor = between(this.sides[0], width, this.sides[1]) / this.patch.x;
    this.patch = { x: this.patch.x * factor, y: this.patch.y * factor };
    this.put(middle.x - this.patch.x / 2, middle.y - this.patch.y / 2);
  }

  // Turns the patch to `degrees` counter-clockwise, whole ones from -180 to 180.
  turn(degrees) {
    this.degrees = Math.round(degrees - 360 * Math.round(degrees / 360));
    this.put(this.place.x, this.place.y);
  }

  report() {
    if (!this.place) return;
    const now = { ...this.place, width: this.patch.x, degrees: this.degrees };
    if (Object.keys(now).every((name) => now[name] === this.reported[name])) return;
    this.reported = now;
    this.streamlit.setTriggerValue("placed", [now.x, now.y, now.width, now.degrees]);
  }

  listen() {
    const { photo } = this;
    const share = ({ clientX, clientY }) => {
      const box = photo.getBoundingClientRect();
      return { x: (clientX - box.left) / box.width, y: (clientY - box.top) / box.height };
    };
    // From the middle of the patch to the pointer, in shares of the photo's width, y upwards.
    const arm = (at) => ({
      x: at.x - this.place.x - this.patch.x / 2,
      y: ((this.place.y + this.patch.y / 2 - at.y) * this.size.y) / this.size.x,
    });
    let grip;
    let before;
    let follow;

    const move = (at) => this.put(at.x - grip.x, at.y - grip.y);
    const grow = (at) => {
      const { x, y } = arm(at);
      this.resize((before.width * Math.hypot(x, y)) / grip);
    };
    const spin = (at) => {
      const { x, y } = arm(at);
      this.turn(before.degrees + ((Math.atan2(y, x) - grip) * 180) / Math.PI);
    };

    photo.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || this.held || !this.place) return;
      this.held = true;
      photo.setPointerCapture(event.pointerId);
      before = { ...this.place, width: this.patch.x, degrees: this.degrees };
      const at = share(event);
      const { x, y } = arm(at);
      if (event.target.matches(".resize")) [follow, grip] = [grow, Math.hypot(x, y)];
      else if (event.target.matches(".turn")) [follow, grip] = [spin, Math.atan2(y, x)];
      else {
        // The patch is held where it is touched; elsewhere on the photo it comes to the finger, by its middle.
        const on = this.find(".patch").contains(event.target);
        const middle = { x: this.patch.x / 2, y: this.patch.y / 2 };
        [follow, grip] = [move, on ? { x: at.x - this.place.x, y: at.y - this.place.y } : middle];
        follow(at);
      }
    });
    photo.addEventListener("pointermove", (event) => this.held && follow(share(event)));
    photo.addEventListener("pointerup", () => {
      if (!this.held) return;
      this.held = false;
      this.report();
    });
    photo.addEventListener("pointercancel", () => {
      // The finger scrolls the page instead.
      this.held = false;
      if (this.sides) {
        this.degrees = before.degrees;
        this.resize(before.width);
      }
      this.put(before.x, before.y);
    });
    const arrows = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
    const sizes = { "+": 1.05, "=": 1.05, "-": 1 / 1.05 };
    const turns = { ",": 5, ".": -5 };
    const known = (key) => key in arrows || (this.sides && (key in sizes || key in turns));
    photo.addEventListener("keydown", (event) => {
      const { key } = event;
      if (!known(key) || !this.place || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      if (key in sizes) this.resize(this.patch.x * sizes[key]);
      else if (key in turns) this.turn(this.degrees + turns[key]);
      else {
        const far = event.shiftKey ? 10 : 1;
        const [right, down] = arrows[key];
        this.put(this.place.x + (right * far) / this.size.x, this.place.y + (down * far) / this.size.y);
      }
    });
    photo.addEventListener("keyup", (event) => known(event.key) && this.report());
    photo.addEventListener("blur", () => this.held || this.report());
  }
}

export default (component) => mount(PlacePicker, ".placing", component);
