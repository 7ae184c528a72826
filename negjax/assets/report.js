"use strict";
// The report page: tables that sort, and the browser of questions. Texts become text nodes only, never HTML.
(() => {
  const PAGE = 24; // questions on the page at a time
  const ENDS = { wrong: "0", right: "1", tied: "2" };
  const MARKS = { 0: "✗ ", 1: "✓ ", 2: "= " };

  function make(tag, properties = {}, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  }

  // ---- Tables that sort: by falling figures, by rising ones, then as they were. Rows without a figure stay below.
  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0];
    const original = [...body.rows];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => head.querySelector("button")?.addEventListener("click", () => {
      const next = { descending: "ascending", ascending: "" }[head.getAttribute("aria-sort") ?? ""] ?? "descending";
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      if (next) head.setAttribute("aria-sort", next);
      const figure = (row) => parseFloat(row.cells[column].dataset.value ?? "NaN");
      const sign = next === "ascending" ? 1 : -1;
      const has = (row) => !Number.isNaN(figure(row));
      const sorted = original.filter(has).sort((a, b) => sign * (figure(a) - figure(b)));
      body.append(...(next ? [...sorted, ...original.filter((row) => !has(row))] : original));
    }));
  }

  // ---- The browser. Its state is the address: #TASK/ID?kind=K&search=WORDS&right=RUN&wrong=RUN&tied=RUN&page=N
  const place = document.getElementById("on.questions");
  if (!place) return;
  const data = JSON.parse(document.getElementById("on.data").textContent);
  const tasks = new Map(data.tasks.map((task) => [task.name, task]));
  const letters = data.runs.map((_, i) => (i < 26 ? String.fromCharCode(65 + i) : `R${i + 1}`));
  let thumbnails = null; // read when first shown
  let lower = null; // texts in lower case, made at the first search
  let shown = []; // the questions that pass the filters

  const fields = {
    task: make("select", {}, ...data.tasks.map(({ name }) => make("option", { value: name }, name))),
    kind: make("select"),
    search: make("input", { type: "search", placeholder: "words, all of them" }),
  };
  const ends = data.runs.map(() => make("select", {}, ...["any", ...Object.keys(ENDS)].map((end) =>
    make("option", { value: end === "any" ? "" : end }, end))));
  const count = make("span", { ariaLive: "polite" });
  const back = make("button", { type: "button" }, "‹ back");
  const forth = make("button", { type: "button" }, "next ›");
  const clear = make("button", { type: "button" }, "clear filters");
  const cards = make("div", { className: data.runs.length > 4 ? "cards many" : "cards" });
  place.append(
    make("div", { className: "filters" },
      make("label", {}, "task", fields.task),
      make("label", {}, "kind", fields.kind),
      make("label", { className: "search" }, "search", fields.search),
      ...ends.map((select, i) => make("label", {}, `${letters[i]} ${data.runs[i]}`, select))),
    make("div", { className: "bar" }, back, forth, count, clear),
    cards,
  );

  function readAddress() {
    const [path, query] = location.hash.slice(1).split("?");
    const [name, id] = path.split("/").map(decode);
    const words = new URLSearchParams(query ?? "");
    const known = tasks.has(name);
    return {
      known,
      task: known ? name : data.tasks[0].name,
      id: known && id !== undefined && id !== "" ? Number(id) : null,
      kind: words.get("kind"),
      search: words.get("search") ?? "",
      ends: data.runs.map((run) => Object.keys(ENDS).find((end) => words.getAll(end).includes(run)) ?? ""),
      page: Math.max(1, parseInt(words.get("page") ?? "1", 10) || 1),
    };
  }

  function decode(text) {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  }

  function address(state) {
    const words = new URLSearchParams();
    if (state.kind !== null) words.set("kind", state.kind);
    if (state.search) words.set("search", state.search);
    state.ends.forEach((end, i) => end && words.append(end, data.runs[i]));
    if (state.page > 1) words.set("page", state.page);
    const id = state.id === null ? "" : `/${state.id}`;
    return `#${encodeURIComponent(state.task)}${id}${words.size ? `?${words}` : ""}`;
  }

  const go = (change) => location.replace(address({ ...readAddress(), ...change }));

  function passes(task, state) {
    lower ??= data.texts.map((text) => text.toLowerCase());
    const words = state.search.toLowerCase().split(/\s+/).filter(Boolean);
    const kind = state.kind === null ? -1 : task.kinds.indexOf(state.kind);
    const wanted = state.ends.map((end, i) => [task.runs[data.runs[i]], ENDS[end]]).filter(([, end]) => end);
    return (i) =>
      (state.kind === null || task.kind[i] === kind) &&
      wanted.every(([run, end]) => run && run.end[i] === end) &&
      words.every((word) => task.options[i].some((text) => lower[text].includes(word)) || String(task.id[i]) === word);
  }

  function show() {
    const state = readAddress();
    const task = tasks.get(state.task);
    fillForm(state, task);
    const pass = passes(task, state);
    shown = [];
    for (let i = 0; i < task.id.length; i++) if (pass(i)) shown.push(i);
    const pages = Math.max(1, Math.ceil(shown.length / PAGE));
    const found = state.id === null ? -1 : shown.findIndex((i) => task.id[i] === state.id);
    const page = found >= 0 ? Math.floor(found / PAGE) + 1 : Math.min(state.page, pages);
    const part = shown.slice((page - 1) * PAGE, page * PAGE);
    const missing = state.id !== null && found < 0 ? ` · question ${state.id} is not among them` : "";
    count.textContent = `${shown.length.toLocaleString("en")} of ${task.id.length.toLocaleString("en")} questions · ` +
      `page ${page} of ${pages}${missing}`;
    back.disabled = page === 1;
    forth.disabled = page === pages;
    back.onclick = () => go({ page: page - 1, id: null });
    forth.onclick = () => go({ page: page + 1, id: null });
    cards.replaceChildren(...part.map((i) => card(task, i, task.id[i] === state.id)));
    cards.dataset.shown = shown.length;
    if (state.id !== null && found >= 0) cards.children[found % PAGE].scrollIntoView({ block: "center" });
    else if (state.known && !place.contains(document.activeElement)) place.parentElement.scrollIntoView();
  }

  function fillForm(state, task) {
    fields.task.value = state.task;
    const kinds = [...new Set(task.kind)].map((kind) => task.kinds[kind]);
    fields.kind.replaceChildren(new Option("any", "any"), ...kinds.map((kind) => new Option(kind || "none", `=${kind}`)));
    fields.kind.value = state.kind === null ? "any" : `=${state.kind}`;
    if (document.activeElement !== fields.search) fields.search.value = state.search;
    ends.forEach((select, i) => {
      select.value = state.ends[i];
      select.disabled = !(data.runs[i] in task.runs);
    });
  }

  function card(task, i, here) {
    thumbnails ??= JSON.parse(document.getElementById("on.thumbnails").textContent);
    const runs = data.runs.map((name, run) => [letters[run], task.runs[name], name]).filter(([, run]) => run);
    const head = make("tr", {}, make("th"), ...runs.map(([letter, , name]) => make("th", { title: name }, letter)));
    const rows = task.options[i].map((text, option) => {
      const right = option === task.answer[i];
      const cell = make("td", {}, data.texts[text]);
      if (task.cells[i].length) cell.append(make("small", {}, task.kinds[task.cells[i][option]]));
      const scores = runs.map(([, run]) => {
        const picked = run.pick[i] === option;
        const end = run.end[i];
        const colour = picked ? (end === "1" ? " good" : end === "0" ? " bad" : "") : "";
        const score = (run.scores[i][option] / data.scale).toFixed(4);
        return make("td", { className: `score${colour}` }, (picked ? MARKS[end] : "") + score);
      });
      return make("tr", { className: right ? "right" : "" }, cell, ...scores);
    });
    const group = task.grouped ? ` · group ${task.group[i]}` : "";
    const link = make("a", { href: address({ ...EMPTY, task: task.name, id: task.id[i] }) }, `#${task.id[i]}`);
    const picture = make("img", { src: `data:image/webp;base64,${thumbnails[task.image[i]]}`, alt: "" });
    const said = make("small", {}, link, ` · ${task.kinds[task.kind[i]] || "no kind"}${group}`);
    const made = make("article", { className: here ? "card here" : "card", tabIndex: 0 });
    made.append(picture, make("div", {}, said, make("table", {}, head, ...rows)));
    return made;
  }

  const EMPTY = { kind: null, search: "", ends: data.runs.map(() => ""), page: 1, id: null };
  const anew = { page: 1, id: null };
  fields.task.onchange = () => go({ ...EMPTY, task: fields.task.value });
  fields.kind.onchange = () => go({ ...anew, kind: fields.kind.value === "any" ? null : fields.kind.value.slice(1) });
  ends.forEach((select) => select.addEventListener("change", () => go({ ...anew, ends: ends.map((each) => each.value) })));
  clear.onclick = () => {
    fields.search.value = "";
    go({ ...EMPTY });
  };
  let waiting = 0;
  fields.search.oninput = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => go({ ...anew, search: fields.search.value.trim() }), 200);
  };
  window.addEventListener("hashchange", show);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === "Escape" && typing) event.target.blur();
    if (typing) return;
    const at = [...cards.children].indexOf(document.activeElement);
    const step = { j: 1, k: -1 }[event.key];
    if (event.key === "/") fields.search.focus();
    else if (event.key === "ArrowRight" && !forth.disabled && nearby()) forth.click();
    else if (event.key === "ArrowLeft" && !back.disabled && nearby()) back.click();
    else if (step) cards.children[at < 0 ? 0 : at + step]?.focus();
    else return;
    event.preventDefault();
  });

  // Whether the questions are in sight, so that arrow keys elsewhere scroll as always.
  function nearby() {
    const { top, bottom } = place.getBoundingClientRect();
    return top < innerHeight && bottom > 0 && !document.activeElement.closest(".wide");
  }

  show();
})();
