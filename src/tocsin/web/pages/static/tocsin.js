// What the pages do beyond HTML: count time, keep typed text when parts are refreshed, copy a command.
// Everything works without it.
"use strict";
(() => {
  const meta = document.querySelector('meta[name="now"]');
  const skew = meta ? Date.parse(meta.content) - Date.now() : 0; // the server's clock decides, not the phone's

  function length(seconds) {
    const s = Math.abs(Math.trunc(seconds));
    const pad = (n) => String(n).padStart(2, "0");
    if (s < 3600) return `${Math.floor(s / 60)}:${pad(s % 60)}`;
    if (s < 86400) return `${Math.floor(s / 3600)} h ${pad(Math.floor(s / 60) % 60)} min`;
    return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
  }

  function count() {
    const now = Date.now() + skew;
    for (const el of document.querySelectorAll("[data-due]")) {
      const left = (Date.parse(el.dataset.due) - now) / 1000;
      el.textContent = left >= 0 ? `in ${length(left)}` : `${length(left)} ago`;
      el.classList.toggle("soon", left >= 0 && left < 300);
      el.classList.toggle("past", left < 0);
    }
    for (const el of document.querySelectorAll("[data-since]")) {
      el.textContent = `${length((now - Date.parse(el.dataset.since)) / 1000)} ago`;
    }
  }
  count();
  setInterval(count, 1000);
  document.addEventListener("htmx:afterSettle", count);

  for (const block of document.querySelectorAll("pre.copy")) {
    if (!navigator.clipboard) break;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(block.textContent);
      button.textContent = "Copied";
    });
    block.after(button);
  }

  // whatever happened before the stream was open, and each time while it was lost, is fetched
  document.addEventListener("htmx:sseOpen", () => {
    const stale = document.getElementById("refresh") || document.getElementById("open");
    if (stale) htmx.trigger(stale, "refresh");
  });

  // what is replaced between press and release swallows the click: a part waits for the release, but not for ever
  const PRESSED = 5000;
  let pressed = 0;
  let late = false;
  let patience = 0;
  function pressing() {
    late ||= Date.now() - pressed < PRESSED;
    return late;
  }
  function released() {
    pressed = 0;
    if (!late) return;
    late = false;
    const stale = document.getElementById("refresh") || document.getElementById("open");
    if (stale) htmx.trigger(stale, "refresh");
  }
  document.addEventListener("pointerdown", () => {
    pressed = Date.now();
    clearTimeout(patience); // an earlier press's
    patience = setTimeout(released, PRESSED);
  }, true);
  for (const end of ["pointerup", "pointercancel"]) document.addEventListener(end, () => setTimeout(released), true);
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id === "open" && pressing()) event.detail.shouldSwap = false;
  });

  const room = document.querySelector("[data-incident]");
  if (!room || !window.htmx) return;
  const refresh = document.getElementById("refresh");
  const live = document.getElementById("live");

  // other incidents' events are not ours
  document.addEventListener("sse:message", (event) => {
    let number = null;
    try { number = JSON.parse(event.detail.data).incident; } catch { /* refresh rather than miss something */ }
    if (number !== null && String(number) !== room.dataset.incident) event.stopImmediatePropagation();
  }, true);

  document.addEventListener("htmx:sseOpen", () => {
    live.textContent = "live";
    live.classList.remove("off");
  });
  document.addEventListener("htmx:sseError", () => {
    live.textContent = "not live, trying again…";
    live.classList.add("off");
  });

  document.addEventListener("htmx:configRequest", (event) => {
    const newest = document.querySelector("#lines > li[data-seq]");
    event.detail.headers["Tocsin-After"] = newest ? newest.dataset.seq : "0";
  });

  // a form whose command was carried out is empty again, so that its part may be refreshed
  document.addEventListener("htmx:beforeSwap", (event) => {
    const done = event.detail.xhr.getResponseHeader("Tocsin-Done");
    const form = event.detail.requestConfig.elt;
    if (!done || !(form instanceof HTMLFormElement)) return;
    form.reset();
    if (form.contains(document.activeElement)) document.activeElement.blur();
    const box = form.closest("details.inline, details:not(.procedure)");
    if (box && form.closest(".panel") && done !== "run") box.open = false;
  });

  function typing(part) {
    if (part.contains(document.activeElement) && document.activeElement.matches("input:not([type=radio]), textarea, select")) return true;
    return [...part.querySelectorAll("input:not([type=hidden]), textarea, select")].some((field) => {
      if (field.type === "radio" || field.type === "checkbox") return field.checked !== field.defaultChecked;
      if (field.tagName === "SELECT") {
        const chosen = [...field.options].findIndex((option) => option.defaultSelected);
        return field.selectedIndex !== Math.max(chosen, 0);
      }
      return field.value !== field.defaultValue;
    });
  }

  // what was looked at while it ran stays open once it is kept, what was folded stays folded
  const looked = new Map();
  function put(target, part) {
    const open = new Map([...target.querySelectorAll("details[id]")].map((d) => [d.id, d.open]));
    for (const box of target.querySelectorAll("details.output")) looked.set(box.id, box.open);
    for (const details of part.querySelectorAll("details[id]")) {
      if (open.get(details.id)) details.open = true;
      else if (looked.has(details.id)) details.open = looked.get(details.id);
    }
  }

  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    const { target, fragment } = event.detail;
    if (target.id === "lines") {
      for (const line of fragment.querySelectorAll("li[id]")) {
        if (document.getElementById(line.id)) line.remove();
      }
      return;
    }
    const part = fragment.querySelector("[data-digest]");
    if (!part) return;
    if (part.dataset.digest === target.dataset.digest || pressing()) {
      event.detail.shouldSwap = false;
    } else if (typing(target)) {
      event.detail.shouldSwap = false;
      if (!blame(target, part)) offer(target);
    } else {
      put(target, part);
    }
  });

  // why a value was refused is put beside it, and what was typed stays
  function blame(target, part) {
    for (const old of target.querySelectorAll(".why")) {
      old.parentElement.querySelector("input")?.removeAttribute("aria-invalid");
      old.remove();
    }
    const reasons = [...part.querySelectorAll("input[aria-invalid]")];
    for (const named of reasons) {
      const field = [...target.querySelectorAll("input[list]")].find((one) => one.getAttribute("list") === named.getAttribute("list"));
      const why = part.querySelector(`#${CSS.escape(named.getAttribute("aria-describedby"))}`);
      if (!field || !why) continue;
      field.setAttribute("aria-invalid", "true");
      field.setAttribute("aria-describedby", why.id);
      field.after(why.cloneNode(true));
    }
    return reasons.length > 0;
  }

  // what a person is typing is never replaced: the part says that it is out of date instead
  function offer(target) {
    if (target.querySelector(".stale")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "stale small";
    button.textContent = "This part has changed. Show it (clears what you typed here)";
    button.addEventListener("click", () => {
      for (const form of target.querySelectorAll("form")) form.reset();
      button.remove();
      document.activeElement.blur();
      htmx.trigger(refresh, "refresh");
    });
    target.prepend(button);
  }

  // what a step wrote is fetched when somebody looks, and again when its part was refreshed meanwhile
  async function load(box) {
    const link = box.querySelector(":scope > div > a");
    if (!link || link.dataset.asked) return;
    link.dataset.asked = "yes";
    const answer = await fetch(`${link.href}?part=1`).catch(() => null);
    if (answer && answer.ok && !answer.redirected) link.parentElement.innerHTML = await answer.text();
    else delete link.dataset.asked; // the link itself still leads there
  }
  document.addEventListener("toggle", (event) => {
    if (event.target.open && event.target.matches("details.output")) load(event.target);
  }, true);
  document.addEventListener("htmx:afterSettle", () => {
    for (const box of document.querySelectorAll("details.output[open]")) load(box);
  });

  // a hint goes into its field only when a person says so
  document.addEventListener("click", (event) => {
    const take = event.target.closest("button.take");
    const field = take?.closest("form")?.elements.namedItem(take.dataset.field);
    if (!field) return;
    field.value = take.dataset.value;
    field.focus();
  });

  // a link into something folded unfolds it
  function unfold() {
    let box = location.hash.length > 1 ? document.getElementById(decodeURIComponent(location.hash.slice(1))) : null;
    const wanted = box;
    for (box = box?.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
    wanted?.scrollIntoView();
  }
  window.addEventListener("hashchange", unfold);
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (link && link.getAttribute("href") === location.hash) unfold();
  });

  document.addEventListener("htmx:sendError", () => say("The server did not answer. Nothing was changed; try again."));
  // a confirmation has been read after a few seconds; a refusal stays
  let fading = 0;
  function fade() {
    clearTimeout(fading);
    fading = setTimeout(() => document.querySelector("#flash .good")?.remove(), 6000);
  }
  document.addEventListener("htmx:afterSettle", fade);
  fade();

  function say(text) {
    const line = document.createElement("p");
    line.className = "flash bad";
    line.setAttribute("role", "alert");
    line.textContent = text;
    document.getElementById("flash").replaceChildren(line);
  }
})();
