// Numbers with three digits of their map's range, all of a map alike, so that neighbours can be told apart.
function format(value, [low, high], signed = false) {
  if (!Number.isFinite(value)) return "not a number";
  const range = Math.max(Math.abs(low), Math.abs(high)) || 1;
  const power = range < 1e-3 || range >= 1e6 ? Math.floor(Math.log10(range)) : 0;
  const digits = between(0, 3 - Math.ceil(Math.log10(range / 10 ** power)), 6);
  const text = (Math.abs(value) / 10 ** power).toFixed(digits);
  const sign = Number(text) === 0 ? "" : value < 0 ? "−" : signed ? "+" : "";
  return sign + text + (power ? ` × 10${superscript(power)}` : "");
}

const shorten = (text) => text.replace(/\.0+(?!\d)/, "");

const superscript = (number) => String(number).replace(/./g, (sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)]);

const element = (tag, className, ...children) => {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children);
  return made;
};

const svg = (tag, attributes) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
};

// The numbers of one map: a photo's are bytes, any other map's are levels between its extremes.
class Values {
  constructor({ kind, values, limits }, bytes) {
    Object.assign(this, values, { kind, limits });
    this.numbers = kind === "photo" ? bytes : new Uint16Array(bytes.buffer);
  }

  at(row, column) {
    const start = (row * this.width + column) * this.channels;
    const numbers = [...this.numbers.subarray(start, start + this.channels)];
    if (this.kind === "photo") return numbers;
    return numbers.map((n) => (n === 65535 ? NaN : this.low + (n / 65534) * (this.high - this.low)));
  }

  words(row, column) {
    const show = {
      photo: String,
      mask: (value) => shorten(format(value, this.limits)),
      heat: (value) => format(value, this.limits),
      signed: (value) => format(value, this.limits, true),
    };
    const numbers = this.at(row, column).map((value) => show[this.kind](value));
    return numbers.length === 1 ? numbers[0] : numbers.map((number, i) => `${"RGB"[i]} ${number}`).join("  ");
  }

  // As `story.render` draws it, as a BMP file, which costs nothing to pack: three bytes a pixel, blue first, from the
  // bottom row upwards, each row filled up to whole words.
  bitmap(legend) {
    const { width, height } = this;
    const row = (3 * width + 3) & ~3;
    const file = new Uint8Array(54 + row * height);
    const head = new DataView(file.buffer);
    head.setUint16(0, 0x424d);
    head.setUint32(2, file.length, true);
    for (const [at, number] of [[10, 54], [14, 40], [18, width], [22, height]]) head.setUint32(at, number, true);
    head.setUint16(26, 1, true);
    head.setUint16(28, 24, true);
    const photo = this.kind === "photo";
    const colours = photo ? this.numbers : legend;
    const shades = photo ? null : this.shades();
    for (let y = 0, i = 0; y < height; y += 1) {
      let to = 54 + row * (height - 1 - y);
      for (const end = i + width; i < end; i += 1, to += 3) {
        const from = 3 * (photo ? i : shades[i]);
        file[to] = colours[from + 2];
        file[to + 1] = colours[from + 1];
        file[to + 2] = colours[from];
      }
    }
    return file;
  }

  // Which of the legend's colours each pixel has: that of its channel of largest magnitude, of 0 for what is no number.
  shades() {
    const { numbers, channels, low } = this;
    const step = (this.high - low) / 65534;
    const [bottom, top] = this.limits;
    const scale = 255 / (top - bottom);
    // This kind of array rounds and keeps to 0 … 255.
    const shades = new Uint8ClampedArray(numbers.length / channels);
    for (let i = 0, at = 0; i < shades.length; i += 1) {
      let strongest = 0;
      for (const end = at + channels; at < end; at += 1) {
        const value = numbers[at] === 65535 ? 0 : low + numbers[at] * step;
        if (Math.abs(value) > Math.abs(strongest)) strongest = value;
      }
      shades[i] = (strongest - bottom) * scale;
    }
    return shades;
  }
}

// What the eye is on, for all pictures at once: `x`, `y` the top left corner as shares of the side, `pixel` the cross.
class View {
  constructor(root) {
    this.root = root;
    Object.assign(this, { scale: 1, x: 0, y: 0, pixel: null, width: 1, height: 1 });
  }

  // Never closer than twelve pixels of the map.
  get closest() {
    return Math.max(4, Math.min(this.width, this.height) / 12);
  }

  set(scale, x, y) {
    this.scale = between(1, scale, this.closest);
    this.x = between(0, x, 1 - 1 / this.scale);
    this.y = between(0, y, 1 - 1 / this.scale);
    this.draw();
  }

  // Zooms so that what lies at (x, y) of a pane stays there.
  zoom(factor, x, y) {
    const scale = between(1, this.scale * factor, this.closest);
    this.set(scale, this.x + x / this.scale - x / scale, this.y + y / this.scale - y / scale);
  }

  pan(dx, dy) {
    this.set(this.scale, this.x - dx / this.scale, this.y - dy / this.scale);
  }

  // Where the buttons and keys zoom: at the cross while it is in view.
  get middle() {
    if (!this.pixel) return [0.5, 0.5];
    const x = ((this.pixel.column + 0.5) / this.width - this.x) * this.scale;
    const y = ((this.pixel.row + 0.5) / this.height - this.y) * this.scale;
    return x >= 0 && x <= 1 && y >= 0 && y <= 1 ? [x, y] : [0.5, 0.5];
  }

  point(row, column) {
    this.pixel = { row: between(0, row, this.height - 1), column: between(0, column, this.width - 1) };
    this.draw();
  }

  pointAt(x, y) {
    this.point(Math.floor((this.y + y / this.scale) * this.height), Math.floor((this.x + x / this.scale) * this.width));
  }

  // Moves the view so that the cross is in its middle, as far as the borders allow.
  follow() {
    const half = 0.5 / this.scale;
    this.set(
      this.scale,
      (this.pixel.column + 0.5) / this.width - half,
      (this.pixel.row + 0.5) / this.height - half,
    );
  }

  draw() {
    const { style, classList } = this.root;
    for (const name of ["scale", "x", "y"]) style.setProperty(`--${name}`, this[name]);
    style.setProperty("--wide", this.width);
    style.setProperty("--high", this.height);
    style.setProperty("--row", this.pixel?.row ?? 0);
    style.setProperty("--column", this.pixel?.column ?? 0);
    classList.toggle("pointed", this.pixel !== null);
    classList.toggle("zoomed", this.scale > 1);
    classList.toggle("near", this.scale >= 2);
  }
}

// A panel of the header with its bytes opened, which are its own: it may outlive the message.
function unpack(panel, parts) {
  const [legend, bytes, arrows] = parts.map((part) => part.slice());
  const numbers = new Values(panel, bytes);
  return { ...panel, legend, numbers, bitmap: numbers.bitmap(legend), arrows: new Int16Array(arrows.buffer) };
}

class StoryViewer {
  constructor(root) {
    this.root = root;
    this.find = (selector) => root.querySelector(selector);
    this.strip = this.find(".strip");
    this.panels = [];
    this.pictures = new Pictures();
    this.view = new View(root);
    this.figures = [this.find(".first"), this.find(".chosen")].map((figure) => this.buildFigure(figure));
    // With `sideBySide`: a figure for each panel.
    this.row = [];
    this.listenToStrip();
    this.listenToBar();
    this.sizes = new ResizeObserver(() => root.clientWidth !== this.fitted && this.fit());
    this.sizes.observe(root);
    // When a wheel last turned for the page: it must not start to zoom because a picture comes by under it.
    this.wheeled = -Infinity;
    this.onWheel = (event) => event.defaultPrevented || (this.wheeled = performance.now());
    document.addEventListener("wheel", this.onWheel, { passive: true });
    // Where the pointer was: a browser also reports a move when the page moves under it.
    this.pointer = { x: null, y: null };
    this.onMove = ({ clientX, clientY }) => Object.assign(this.pointer, { x: clientX, y: clientY });
    document.addEventListener("pointermove", this.onMove);
  }

  leave() {
    this.sizes.disconnect();
    document.removeEventListener("wheel", this.onWheel);
    document.removeEventListener("pointermove", this.onMove);
    this.pictures.leave();
  }

  // Python's message: the same story with other maps, or another story.
  async show({ digest, key, chosen, sideBySide, panels, parts }) {
    if (digest === this.digest) return;
    this.digest = digest;
    const known = new Map(this.panels.map((panel) => [panel.digest, panel]));
    const unpacked = panels.map((panel, i) => known.get(panel.digest) ?? unpack(panel, parts.slice(3 * i, 3 * i + 3)));
    const sources = await this.pictures.load(unpacked.map(({ bitmap }) => bitmap));
    if (sources === null) return;
    if (this.place === undefined) {
      this.place = `unfool.story_viewer.${key}`;
      const kept = memory.read(this.place);
      this.name = kept.name;
      this.comparing = kept.comparing ?? false;
      this.proposed = kept.name === undefined ? undefined : chosen;
      Object.assign(this.view, kept.view);
    }
    if (chosen !== this.proposed && chosen !== null) this.name = chosen;
    this.proposed = chosen;
    this.panels = unpacked.map((panel, i) => ({ ...panel, source: sources[i] }));
    this.view.width = this.panels[0].values.width;
    this.view.height = this.panels[0].values.height;
    this.view.set(this.view.scale, this.view.x, this.view.y);
    if (this.view.pixel) this.view.point(this.view.pixel.row, this.view.pixel.column);
    this.root.classList.toggle("side-by-side", sideBySide);
    this.root.style.setProperty("--panels", panels.length);
    this.fillStrip();
    this.fillTold();
    this.fillRow(sideBySide ? this.panels : []);
    this.draw();
    this.fit();
  }

  get index() {
    const at = (name) => this.panels.findIndex((panel) => panel.name === name);
    return Math.max(0, at(this.name) >= 0 ? at(this.name) : at(this.proposed));
  }

  keep() {
    const { scale, x, y, pixel } = this.view;
    memory.write(this.place, { name: this.name, comparing: this.comparing, view: { scale, x, y, pixel } });
  }

  choose(index, focus) {
    this.name = this.panels[index].name;
    this.draw();
    if (focus) this.strip.children[index].focus({ preventScroll: true });
    this.keep();
  }

  // --- the strip -----------------------------------------------------------------------------------------------------

  fillStrip() {
    const held = this.strip.contains(this.root.getRootNode().activeElement);
    while (this.strip.children.length > this.panels.length) this.strip.lastChild.remove();
    while (this.strip.children.length < this.panels.length) {
      const image = Object.assign(element("img", ""), { alt: "", draggable: false, decoding: "sync" });
      const step = element("div", "step", element("span", "thumb", image), element("span", "name"));
      step.setAttribute("role", "option");
      this.strip.append(step);
    }
    this.panels.forEach((panel, i) => {
      const step = this.strip.children[i];
      step.querySelector("img").src = panel.source;
      step.querySelector(".name").textContent = panel.name;
      step.setAttribute("aria-posinset", i + 1);
      step.setAttribute("aria-setsize", this.panels.length);
    });
    if (held) this.strip.children[this.index].focus({ preventScroll: true });
  }

  listenToStrip() {
    this.strip.addEventListener("click", ({ target }) => {
      const step = target.closest(".step");
      if (step) this.choose([...this.strip.children].indexOf(step), true);
    });
    this.strip.addEventListener("keydown", (event) => {
      const last = this.panels.length - 1;
      const next = { ArrowRight: this.index + 1, ArrowLeft: this.index - 1, Home: 0, End: last }[event.key];
      if (next === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      this.choose(between(0, next, last), true);
    });
  }

  // Rows of equal length where the steps do not fit in one; on a phone the strip is one row that scrolls.
  fit() {
    if (!this.root.clientWidth || !this.panels.length) return;
    this.fitted = this.root.clientWidth;
    const rows = Math.ceil((this.panels.length * 86) / (this.strip.clientWidth || Infinity));
    this.strip.style.setProperty("--columns", Math.ceil(this.panels.length / Math.max(rows, 1)));
    this.sharpen();
    this.fitFormulas();
    this.reveal(false);
  }

  // A formula has no line breaks: a long one is set smaller, and scrolls where that would be too small to read.
  fitFormulas() {
    for (const formula of this.root.querySelectorAll(".formula:not([hidden])")) {
      formula.style.fontSize = "";
      const share = formula.clientWidth / formula.scrollWidth;
      if (share >= 1) continue;
      const size = parseFloat(getComputedStyle(formula).fontSize) * share * 0.99;
      formula.style.fontSize = `max(0.875rem, ${size}px)`;
    }
  }

  // A picture that is shown smaller than it is looks better smoothed; enlarged, its pixels are squares.
  sharpen() {
    const sharp = (box) => box.clientWidth * this.view.scale * devicePixelRatio >= this.view.width;
    const large = [...this.row, this.figures[1]].map(({ pane }) => pane).find((pane) => pane.clientWidth);
    this.root.classList.toggle("sharp", large !== undefined && sharp(large));
    this.root.classList.toggle("sharp-thumbs", sharp(this.strip.querySelector(".thumb")));
  }

  reveal(smooth) {
    const step = this.strip.children[this.index];
    if (!step || this.strip.scrollWidth <= this.strip.clientWidth) return;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.strip.scrollTo({
      left: step.offsetLeft - (this.strip.clientWidth - step.offsetWidth) / 2,
      behavior: smooth && !calm ? "smooth" : "auto",
    });
  }

  // --- what is told about each step: all of it in one place, so that the longest keeps the room ---------------------

  fillTold() {
    const told = this.find(".told");
    while (told.children.length > this.panels.length) told.lastChild.remove();
    while (told.children.length < this.panels.length) {
      told.append(element("div", "about", element("div", "formula"), element("p", "note"), element("div", "legend")));
    }
    this.panels.forEach((panel, i) => {
      const about = told.children[i];
      const formula = about.querySelector(".formula");
      if (formula.markup !== panel.formula) formula.innerHTML = formula.markup = panel.formula;
      formula.hidden = !panel.formula;
      about.querySelector(".note").textContent = panel.note;
      this.fillLegend(about.querySelector(".legend"), panel);
    });
  }

  fillLegend(legend, { kind, limits, legend: colours }) {
    const [low, high] = limits;
    const count = colours.length / 3;
    const colour = (i) => `rgb(${colours.subarray(3 * i, 3 * i + 3).join(" ")})`;
    if (count === 0) {
      legend.replaceChildren();
    } else if (kind === "mask") {
      const swatch = (i, text) => {
        const box = element("i", "swatch");
        box.style.background = colour(i);
        return element("span", "side", box, text);
      };
      legend.replaceChildren(element("div", "sides", swatch(count - 1, "1, inside"), swatch(0, "0, outside")));
    } else {
      const ramp = element("div", "ramp", element("i", "here"));
      const stops = Array.from({ length: count }, (_, i) => `${colour(i)} ${(100 * i) / (count - 1)}%`);
      ramp.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
      const ends = kind === "signed" ? [low, 0, high] : [low, high];
      const texts = ends.map((end) => element("span", "", shorten(format(end, limits, kind === "signed"))));
      legend.replaceChildren(ramp, element("div", "ends", ...texts));
    }
  }

  // --- the large pictures -------------------------------------------------------------------------------------------

  buildFigure(figure) {
    const image = Object.assign(element("img", ""), { draggable: false, decoding: "sync" });
    const arrows = svg("svg", { class: "arrows", preserveAspectRatio: "none", "aria-hidden": "true" });
    const pane = element("div", "pane", image, arrows, element("i", "cross"));
    pane.tabIndex = 0;
    pane.setAttribute("role", "group");
    const parts = {
      figure,
      image,
      arrows,
      pane,
      title: element("span", "title"),
      count: element("span", "count"),
      where: element("span", "where"),
      value: element("span", "value"),
    };
    figure.append(
      element("figcaption", "", parts.title, parts.count),
      pane,
      element("p", "readout", parts.where, parts.value),
    );
    this.listenToPane(pane);
    return parts;
  }

  fillRow(panels) {
    while (this.row.length > panels.length) this.row.pop().figure.remove();
    while (this.row.length < panels.length) {
      const legend = element("div", "legend");
      const parts = { ...this.buildFigure(element("figure", "")), legend };
      parts.figure.append(legend);
      this.find(".row").append(parts.figure);
      this.row.push(parts);
    }
    panels.forEach((panel, i) => this.fillLegend(this.row[i].legend, panel));
  }

  // Every large figure with the panel that it shows.
  get shown() {
    const { panels, figures, row, index } = this;
    return [[figures[0], panels[0]], [figures[1], panels[index]], ...row.map((figure, i) => [figure, panels[i]])];
  }

  draw() {
    const { index, panels, figures, view } = this;
    [...this.strip.children].forEach((step, i) => {
      step.setAttribute("aria-selected", String(i === index));
      step.tabIndex = i === index ? 0 : -1;
    });
    [...this.find(".told").children].forEach((about, i) => about.classList.toggle("shown", i === index));
    for (const [{ image, arrows, pane, title }, panel] of this.shown) {
      if (image.src !== panel.source) image.src = panel.source;
      this.fillArrows(arrows, panel.arrows);
      image.alt = panel.alt;
      title.textContent = panel.name;
      pane.setAttribute(
        "aria-label",
        `${panel.name}. Arrow keys move the cross by a pixel, with Shift by ten; plus and minus zoom, 0 shows the whole.`,
      );
    }
    figures[1].count.textContent = `${index + 1} of ${panels.length}`;
    figures[0].figure.hidden = !this.comparing;
    this.root.classList.toggle("comparing", this.comparing);
    this.find(".compare").setAttribute("aria-pressed", String(this.comparing));
    this.find(".compare .with").textContent = ` with ${panels[0].name}`;
    view.draw();
    this.reveal(true);
    this.drawView();
  }

  // All that follows the eye: zoom, cross and the numbers under it.
  drawView() {
    const { view, panels, index } = this;
    const { scale, pixel } = view;
    this.find(".scale").textContent = `${Math.round(scale * 10) / 10}×`;
    this.find(".out").disabled = scale <= 1;
    this.find(".whole").disabled = scale <= 1;
    this.find(".in").disabled = scale >= view.closest;
    if (panels.length) this.sharpen();
    const seen = [view.x * view.width, view.y * view.height, view.width / scale, view.height / scale];
    for (const [{ arrows, where, value }, { numbers }] of this.shown) {
      arrows.setAttribute("viewBox", seen.join(" "));
      where.textContent = pixel ? `row ${pixel.row}, column ${pixel.column}` : "Point at a pixel to read its value";
      value.textContent = pixel ? numbers.words(pixel.row, pixel.column) : "";
    }
    this.markLegend(this.find(".about.shown .here"), panels[index], pixel);
    this.row.forEach(({ legend }, i) => this.markLegend(legend.querySelector(".here"), panels[i], pixel));
  }

  // A line from each pixel's source to the pixel, with a head where it ends; the style sheet shows them from near only.
  fillArrows(drawing, lines) {
    if (drawing.lines === lines) return;
    drawing.lines = lines;
    const parts = [];
    for (let i = 0; i < lines.length; i += 4) {
      const [y1, x1, y2, x2] = lines.subarray(i, i + 4);
      const reach = Math.hypot(x2 - x1, y2 - y1);
      // The head: two strokes back from the end.
      const [ux, uy] = [(x2 - x1) / reach, (y2 - y1) / reach];
      const head = [-1, 1].map((side) => {
        const [x, y] = [x2 + 0.5 - 0.9 * ux + side * 0.5 * uy, y2 + 0.5 - 0.9 * uy - side * 0.5 * ux];
        return `M${x.toFixed(2)} ${y.toFixed(2)}L${x2 + 0.5} ${y2 + 0.5}`;
      });
      parts.push(`M${x1 + 0.5} ${y1 + 0.5}L${x2 + 0.5} ${y2 + 0.5}${head.join("")}`);
    }
    const d = parts.join("");
    drawing.replaceChildren(...(d ? ["under", "over"].map((name) => svg("path", { class: name, d })) : []));
  }

  // Where on the ramp the value under the cross lies.
  markLegend(here, { numbers, limits: [low, high] }, pixel) {
    if (!here) return;
    const values = pixel ? numbers.at(pixel.row, pixel.column) : [];
    const strongest = values.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a), values[0]);
    here.hidden = !Number.isFinite(strongest);
    if (!here.hidden) here.style.left = `${100 * between(0, (strongest - low) / (high - low || 1), 1)}%`;
  }

  // --- the hand: pointer, wheel, pinch, keys, buttons ---------------------------------------------------------------

  // After each change of the view.
  moved(aloud = false) {
    this.drawView();
    if (aloud) {
      const { where, value } = this.figures[1];
      this.find(".heard").textContent = `${where.textContent}: ${value.textContent}`;
    }
    clearTimeout(this.keeping);
    this.keeping = setTimeout(() => this.keep(), 200);
  }

  listenToPane(pane) {
    const held = new Map();
    let last = null;
    let panning = false;
    let armed = false;
    const share = ({ clientX, clientY }) => {
      const box = pane.getBoundingClientRect();
      return { x: (clientX - box.left) / box.width, y: (clientY - box.top) / box.height };
    };
    // Middle and spread of the fingers.
    const grip = () => {
      const points = [...held.values()];
      const mean = (name) => points.reduce((sum, point) => sum + point[name], 0) / points.length;
      const [x, y] = [mean("x"), mean("y")];
      return { x, y, spread: points.length > 1 ? Math.hypot(points[0].x - x, points[0].y - y) : 0 };
    };
    const point = (at) => {
      if (at.x < 0 || at.x >= 1 || at.y < 0 || at.y >= 1) return;
      this.view.pointAt(at.x, at.y);
      this.moved();
    };

    pane.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      pane.setPointerCapture(event.pointerId);
      held.set(event.pointerId, share(event));
      last = grip();
      panning = held.size > 1;
      if (held.size === 1) point(last);
    });
    pane.addEventListener("pointermove", (event) => {
      const at = share(event);
      const truly = event.clientX !== this.pointer.x || event.clientY !== this.pointer.y;
      if (truly && performance.now() - this.wheeled > 150) armed = true;
      if (!held.has(event.pointerId)) {
        point(at);
        return;
      }
      held.set(event.pointerId, at);
      const now = grip();
      // A hand that trembles does not pan.
      panning ||= Math.hypot(now.x - last.x, now.y - last.y) * pane.clientWidth > 4;
      if (!panning) return;
      if (last.spread && now.spread) this.view.zoom(now.spread / last.spread, last.x, last.y);
      if (this.view.scale > 1) this.view.pan(now.x - last.x, now.y - last.y);
      last = now;
      if (held.size === 1) point(at);
      else this.moved();
    });
    for (const name of ["pointerup", "pointercancel"]) {
      pane.addEventListener(name, (event) => {
        held.delete(event.pointerId);
        if (held.size) last = grip();
      });
    }
    pane.addEventListener("pointerleave", () => (armed = false));
    // Two fingers belong to the picture even where one finger scrolls the page.
    pane.addEventListener("touchmove", (event) => event.touches.length > 1 && event.preventDefault(), { passive: false });
    pane.addEventListener(
      "wheel",
      (event) => {
        const command = event.ctrlKey || event.metaKey;
        if (!command && (!armed || (event.deltaY > 0 && this.view.scale <= 1))) {
          armed = false;
          return;
        }
        event.preventDefault();
        const { x, y } = share(event);
        const pixels = event.deltaY * (event.deltaMode === 1 ? 32 : 1) * (event.ctrlKey ? 4 : 1);
        this.view.zoom(Math.exp(between(-240, -pixels, 240) * 0.0025), x, y);
        point({ x, y });
      },
      { passive: false },
    );
    pane.addEventListener("keydown", (event) => {
      const [dx, dy] = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key] ?? [];
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      if (dx !== undefined) {
        const { view } = this;
        const from = view.pixel ?? {
          row: Math.floor((view.y + 0.5 / view.scale) * view.height),
          column: Math.floor((view.x + 0.5 / view.scale) * view.width),
        };
        const far = event.shiftKey ? 10 : 1;
        view.point(from.row + dy * far, from.column + dx * far);
        view.follow();
        this.moved(true);
      } else if (!this.zoomBy({ "+": 2, "=": 2, "-": 0.5, "0": 0 }[event.key])) {
        return;
      }
      event.preventDefault();
    });
  }

  // Factor 0 shows the whole picture.
  zoomBy(factor) {
    if (factor === undefined) return false;
    if (factor === 0) this.view.set(1, 0, 0);
    else this.view.zoom(factor, ...this.view.middle);
    this.moved();
    return true;
  }

  listenToBar() {
    for (const [name, factor] of Object.entries({ out: 0.5, in: 2, whole: 0 })) {
      this.find(`.${name}`).addEventListener("click", () => this.zoomBy(factor));
    }
    this.find(".compare").addEventListener("click", () => {
      this.comparing = !this.comparing;
      this.draw();
      this.fit();
      this.keep();
    });
  }
}

export default (component) => mount(StoryViewer, ".story", component);
