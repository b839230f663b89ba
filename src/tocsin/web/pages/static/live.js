// What running steps say, as they say it. Without this script the page shows what was said when it was loaded.
"use strict";
(() => {
  if (!document.querySelector("[data-incident]") || !window.EventSource) return;
  const MOST = 3; // streams at once: a browser opens six connections to one server, and other things need some
  const KEPT = 262144; // characters of one step; the whole of it is its evidence afterwards
  const HARMFUL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
  const streams = new Map(); // by address: {source, said: Map(step -> {pieces, size, at}), ended}

  function boxes(address) {
    return [...document.querySelectorAll("[data-stream]")].filter((box) => box.dataset.stream === address);
  }

  function begin(address) {
    const stream = { source: new EventSource(address), said: new Map(), waiting: [], told: false, ended: false };
    streams.set(address, stream);
    // each connection is told everything from the beginning
    stream.source.addEventListener("open", () => {
      stream.said.clear();
      stream.waiting = [];
      stream.told = false;
    });
    stream.source.addEventListener("output", (event) => {
      stream.waiting.push(JSON.parse(event.data));
      if (stream.waiting.length === 1) setTimeout(hear, 60, address, stream);
    });
    stream.source.addEventListener("end", () => {
      stream.source.close();
      stream.ended = true;
      htmx.trigger("#refresh", "refresh");
      follow();
    });
    stream.source.addEventListener("error", () => {
      if (stream.source.readyState === EventSource.CLOSED) stream.ended = true; // refused: a reload tells why
    });
  }

  function hear(address, stream) {
    const anew = !stream.told;
    const touched = new Map();
    for (const piece of stream.waiting) {
      const text = piece.text.replace(HARMFUL, "");
      const step = stream.said.get(piece.step) || { pieces: [], size: 0, at: null, cut: false };
      stream.said.set(piece.step, step);
      step.pieces.push([piece.stream, text]);
      step.size += text.length;
      while (step.size > KEPT && step.pieces.length > 1) {
        step.size -= step.pieces.shift()[1].length;
        step.cut = true;
        touched.set(piece.step, null);
      }
      if (touched.get(piece.step) !== null) touched.set(piece.step, [...(touched.get(piece.step) || []), [piece.stream, text]]);
    }
    stream.waiting = [];
    stream.told = true;
    for (const box of boxes(address)) {
      const step = Number(box.dataset.step);
      if (anew || touched.get(step) === null) fill(box, stream);
      else if (touched.has(step)) append(box, touched.get(step), stream);
    }
  }

  function node([kind, text]) {
    if (kind !== "stderr") return document.createTextNode(text);
    const wrong = document.createElement("span");
    wrong.className = "err";
    wrong.textContent = text;
    return wrong;
  }

  function append(box, pieces, stream) {
    const pre = box.querySelector("pre");
    pre.append(...pieces.map(node));
    settle(pre, stream.said.get(Number(box.dataset.step)));
  }

  function fill(box, stream) {
    const step = stream.said.get(Number(box.dataset.step));
    if (!step) return;
    const pre = box.querySelector("pre");
    const cut = step.cut ? [document.createTextNode("…\n")] : [];
    pre.replaceChildren(...cut, ...step.pieces.map(node));
    settle(pre, step);
  }

  // it follows its end, unless somebody scrolled up to read
  function settle(pre, step) {
    pre.scrollTop = step.at === null ? pre.scrollHeight : step.at;
  }

  document.addEventListener("scroll", (event) => {
    const box = event.target instanceof Element ? event.target.closest("[data-stream]") : null;
    const step = box && streams.get(box.dataset.stream)?.said.get(Number(box.dataset.step));
    if (!step) return;
    const pre = event.target;
    step.at = pre.scrollHeight - pre.scrollTop - pre.clientHeight < 24 ? null : pre.scrollTop;
  }, true);

  document.addEventListener("toggle", (event) => {
    const inside = event.target.open ? event.target.querySelectorAll("[data-stream]") : [];
    for (const box of [event.target, ...inside]) {
      const step = streams.get(box.dataset?.stream)?.said.get(Number(box.dataset?.step));
      if (step) settle(box.querySelector("pre"), step);
    }
  }, true);

  function follow() {
    const wanted = new Set([...document.querySelectorAll("[data-stream]")].map((box) => box.dataset.stream));
    for (const [address, stream] of streams) {
      if (wanted.has(address)) continue;
      stream.source.close();
      streams.delete(address);
    }
    for (const address of wanted) {
      const running = [...streams.values()].filter((stream) => !stream.ended).length;
      if (!streams.has(address) && running < MOST) begin(address);
    }
    for (const box of document.querySelectorAll("[data-stream]")) {
      const stream = streams.get(box.dataset.stream);
      if (stream) fill(box, stream);
    }
  }
  follow();
  document.addEventListener("htmx:afterSettle", follow);
})();
