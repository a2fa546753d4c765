// Opens what parcel.py packed: the header's fields and `parts`, one Uint8Array for each.
function openParcel(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  let at = 4 + length;
  const parts = header.lengths.map((size) => bytes.subarray(at, (at += size)));
  return { ...header, parts };
}

// Pictures as addresses that an <img> shows at once, because they are decoded before anybody sees them.
class Pictures {
  constructor() {
    // Image by file, in the order in which they were asked for.
    this.kept = new Map();
    this.turn = 0;
  }

  // Resolves to the addresses of PNG or BMP files, or to null where a later call has overtaken this one. The very same
  // array as before is not decoded again.
  async load(files) {
    const turn = ++this.turn;
    const fresh = [];
    const images = new Map();
    for (const file of files) {
      images.set(file, this.kept.get(file) ?? images.get(file) ?? new Image());
      if (images.get(file).src) continue;
      images.get(file).src = URL.createObjectURL(new Blob([file], { type: file[0] === 0x42 ? "image/bmp" : "image/png" }));
      fresh.push(images.get(file));
    }
    await Promise.all(fresh.map((image) => image.decode()));
    if (turn !== this.turn) {
      this.forget(fresh);
      return null;
    }
    // The old ones go one update later, when no <img> shows them any more.
    const old = [...this.kept].filter(([file]) => !images.has(file)).map(([, image]) => image);
    this.kept = images;
    requestAnimationFrame(() => this.forget(old));
    return files.map((file) => images.get(file).src);
  }

  // The first one, as it is drawn.
  get first() {
    return this.kept.values().next().value;
  }

  forget(images) {
    for (const image of images) URL.revokeObjectURL(image.src);
  }

  leave() {
    this.turn += 1;
    this.forget(this.kept.values());
    this.kept = new Map();
  }
}

// What a visitor chose in the browser, kept for this tab: it survives reruns, page changes and reloads.
const memory = {
  read(key) {
    try {
      return JSON.parse(sessionStorage.getItem(key)) ?? {};
    } catch {
      return {};
    }
  },
  write(key, value) {
    try {
      sessionStorage.setItem(key, JSON.stringify(value));
    } catch {
      // Storage is switched off: the choice lasts until the page is left.
    }
  },
};

// One object of `Type` for each mounted component: the first call builds it, every call of Streamlit shows it its data.
const mounted = new WeakMap();

function mount(Type, selector, { data, parentElement, ...streamlit }) {
  const root = parentElement.querySelector(selector);
  if (!mounted.has(root)) mounted.set(root, new Type(root));
  const part = mounted.get(root);
  part.streamlit = streamlit;
  part.show(openParcel(data));
  return () => part.leave();
}

const between = (low, value, high) => Math.min(Math.max(value, low), high);
