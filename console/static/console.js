// The console's only script: keys, the browser's time zone, the live dot, copying. Everything works without it except live pages.
"use strict";
(() => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
  document.cookie = `${document.body.dataset.zoneCookie}=${zone.replace(/[^\w/+-]/g, "")}; Path=/; SameSite=Strict; Max-Age=31536000`;

  const help = document.getElementById("help");
  const button = document.getElementById("keys");
  button.hidden = false;
  button.addEventListener("click", () => help.showModal());

  // --- keys
  let going = false;
  const opens = (row) => row.querySelector("a[data-open]");
  const move = (step) => {
    const rows = [...document.querySelectorAll("[data-row]")].filter(opens);
    if (!rows.length) return;
    const all = rows.map(opens), at = rows.indexOf(document.activeElement.closest("a[data-open]")?.closest("[data-row]"));
    const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + step))];
    next.focus();
  };
  const keys = {
    "/": () => document.getElementById("q").select(),
    "?": () => help.showModal(),
    j: () => move(1),
    k: () => move(-1),
    x: () => document.activeElement.closest("[data-row]")?.querySelector("input[type=checkbox]")?.click(),
    r: () => location.reload(),
    t: () => document.getElementById("clock").click(),
    g: () => { going = true; setTimeout(() => { going = false; }, 1500); },
  };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.matches("[data-send]")) {
      event.target.form.requestSubmit();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    if (event.target.closest("input:not([type=checkbox]), textarea, select")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (going) {
      going = false;
      const entry = [...document.querySelectorAll("[data-key]")].find((link) => link.dataset.key === event.key);
      if (entry) { event.preventDefault(); entry.click(); }
      return;
    }
    const pressed = [...document.querySelectorAll("[data-press]")].find((one) => one.dataset.press === event.key);
    if (pressed) { event.preventDefault(); pressed.click(); return; }
    if (Object.hasOwn(keys, event.key)) { event.preventDefault(); keys[event.key](); }
  });

  // --- the live dot: every message is a whole state, so its age is the page's age
  const dot = document.getElementById("dot");
  if (dot) {
    dot.hidden = false;
    let last = 0;
    let ended = false;
    let shut = false;  // another console serves here now, which this browser has not opened
    const say = (state, text) => {
      if (dot.dataset.state !== state) dot.dataset.state = state;
      if (dot.textContent !== text) dot.textContent = text;
    };
    document.addEventListener("htmx:sse:after:message", (event) => {
      last = Date.now();
      shut = false;
      const state = event.target.querySelector?.("[data-live]")?.dataset.live || "live";
      ended = state === "ended";
      say(ended ? "ended" : state === "down" ? "down" : state === "paused" ? "old" : "live", { ended: "finished", down: "not reachable", paused: "paused" }[state] || "live");
    });
    document.addEventListener("htmx:sse:error", (event) => {
      shut = event.detail?.status === 401;
      if (shut) say("down", "closed: reload the page");
    });
    setInterval(() => {
      if (ended || shut || !last || document.hidden) return;
      const age = Math.round((Date.now() - last) / 1000);
      if (age >= 6) say(age > 60 ? "down" : "old", age > 60 ? `paused, ${Math.round(age / 60)} min old` : `${age} s old`);
    }, 1000);
  }

  // --- a page about an engine that is down looks for it
  const again = document.querySelector("[data-again]");
  if (again) setInterval(() => { if (!document.hidden) location.replace(again.href); }, Number(again.dataset.again));

  // --- how many rows are ticked
  const ticks = document.getElementById("ticks"), untouched = ticks?.textContent;
  const count = () => {
    const number = document.querySelectorAll("#ticked input:checked").length;
    ticks.textContent = number ? `${number} ticked` : untouched;
    for (const one of document.querySelectorAll("#ticked button")) one.disabled = one.value === "compare" ? number !== 2 : !number;
  };
  if (ticks) { count(); document.addEventListener("change", count); }

  // --- a form is sent once; the page that follows has a new one
  document.addEventListener("submit", (event) => {
    for (const one of event.target.querySelectorAll("button.main")) setTimeout(() => { one.disabled = true; });
  });
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  // --- a file is put into the field, where it can be seen; what is too long for a form is said before it is sent,
  // or put into the field: a browser that lays out megabytes of text stands still
  const TOO_LONG = "This is too long for a form. Split it, or use the command below.";
  const most = (field) => Number(field.dataset.most);
  const encoded = (text) => new URLSearchParams({ "": text.replaceAll("\n", "\r\n") }).toString().length;
  const isTooLong = (field) => field.value.length > most(field) || encoded(field.value) > most(field);
  const refuse = (field) => { field.setCustomValidity(TOO_LONG); field.reportValidity(); field.setCustomValidity(""); };
  const limited = (event) => event.target.closest?.("[data-most]");
  document.addEventListener("input", (event) => {
    const field = limited(event);
    if (!field) return;
    field.setCustomValidity(isTooLong(field) ? TOO_LONG : "");
    if (!field.validity.valid && field.hasAttribute("hx-post")) event.stopPropagation();  // it would be refused
  }, { capture: true });
  document.addEventListener("paste", (event) => {
    const field = limited(event);
    if (!field || event.clipboardData.getData("text").length <= most(field)) return;
    event.preventDefault();
    refuse(field);
  });
  for (const chooser of document.querySelectorAll("[data-into]")) {
    chooser.addEventListener("change", async () => {
      const field = document.getElementById(chooser.dataset.into);
      const file = chooser.files[0];
      if (!file) return;
      if (file.size > most(field)) { chooser.value = ""; refuse(field); return; }
      field.value = await file.text();
      field.dispatchEvent(new Event("input", { bubbles: true }));
      field.reportValidity();
    });
  }

  // --- a link to a closed section opens it
  const unfold = (hash) => {
    const section = document.getElementById(hash.slice(1));
    if (section?.matches("details")) section.open = true;
  };
  document.addEventListener("click", (event) => unfold(event.target.closest("a")?.getAttribute("href") || ""));
  addEventListener("hashchange", () => unfold(location.hash));
  unfold(location.hash);

  // --- a button copies a text
  for (const one of document.querySelectorAll("[data-copies]")) {
    if (!navigator.clipboard) break;
    one.hidden = false;
    one.addEventListener("click", () => {
      navigator.clipboard.writeText(document.getElementById(one.dataset.copies).textContent).then(() => { one.textContent = "Copied"; });
    });
  }

  // --- a click on a command copies it
  document.addEventListener("click", (event) => {
    const code = event.target.closest("code[tabindex]");
    if (code && navigator.clipboard && getSelection().isCollapsed) navigator.clipboard.writeText(code.textContent);
  });
})();
