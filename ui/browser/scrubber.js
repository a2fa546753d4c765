const FRAMES_PER_SECOND = 8;

class Scrubber {
  constructor(root) {
    this.find = (selector) => root.querySelector(selector);
    this.root = root;
    this.pictures = new Pictures();
    this.slider = this.find("input");
    this.slider.addEventListener("input", () => {
      this.pause();
      this.draw();
    });
    this.find(".play").addEventListener("click", () => (this.timer ? this.pause() : this.play()));
  }

  leave() {
    this.pause();
    this.pictures.leave();
  }

  async show({ digest, captions, label, series, places, seriesLabel, colour, start, parts }) {
    if (digest === this.digest) return;
    this.digest = digest;
    const sources = await this.pictures.load(parts);
    if (sources === null) return;
    this.pause();
    Object.assign(this, { sources, captions, series, places });
    const { naturalWidth, naturalHeight } = this.pictures.first;
    this.root.style.setProperty("--aspect", naturalWidth / naturalHeight);
    this.root.style.setProperty("--colour", colour);
    this.root.classList.toggle("sharp", this.find(".pane").clientWidth * devicePixelRatio >= naturalWidth);
    this.slider.max = sources.length - 1;
    this.slider.value = start;
    this.slider.setAttribute("aria-label", label);
    this.find(".longest").textContent = captions.reduce((a, b) => (b.length > a.length ? b : a));
    this.find(".chart").hidden = series.length < 2;
    this.find(".of").textContent = seriesLabel;
    const last = Math.max(series.length - 1, 1);
    const corners = series.map((value, i) => `${i / last},${1 - between(0, value, 1)}`);
    this.find("polyline").setAttribute("points", corners.join(" "));
    this.draw();
  }

  // The height of the line between two of its values.
  height(place) {
    const before = Math.floor(place);
    const after = Math.min(before + 1, this.series.length - 1);
    return between(0, this.series[before] + (place - before) * (this.series[after] - this.series[before]), 1);
  }

  draw() {
    const index = Number(this.slider.value);
    const caption = this.captions[index];
    const image = this.find("img");
    image.src = this.sources[index];
    image.alt = caption;
    this.find(".caption").textContent = caption;
    this.slider.setAttribute("aria-valuetext", caption);
    this.slider.style.setProperty("--share", index / Math.max(this.sources.length - 1, 1));
    if (this.series.length < 2) return;
    const { style } = this.find(".mark");
    style.left = `${(100 * this.places[index]) / (this.series.length - 1)}%`;
    style.top = `${100 * (1 - this.height(this.places[index]))}%`;
  }

  play() {
    if (Number(this.slider.value) === this.sources.length - 1) this.slider.value = 0;
    this.draw();
    this.timer = setInterval(() => {
      this.slider.value = Number(this.slider.value) + 1;
      this.draw();
      if (Number(this.slider.value) === this.sources.length - 1) this.pause();
    }, 1000 / FRAMES_PER_SECOND);
    this.name("Pause");
  }

  pause() {
    clearInterval(this.timer);
    this.timer = null;
    this.name("Play");
  }

  name(action) {
    const play = this.find(".play");
    play.setAttribute("aria-label", action);
    play.classList.toggle("playing", action === "Pause");
  }
}

export default (component) => mount(Scrubber, ".scrubber", component);
