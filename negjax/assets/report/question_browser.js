"use strict";
// The browser of questions. Texts become text nodes only, never HTML. Its state is the address:
// #TASK/ID?kind=KIND&search=WORDS&right=RUN&wrong=RUN&tied=RUN&page=N
(() => {
  const CARDS_PER_PAGE = 24;
  const OUTCOMES = { wrong: "0", right: "1", tied: "2" };
  const MARKS = { 0: "✗ ", 1: "✓ ", 2: "= " };

  const browser = document.getElementById("on.questions");
  if (!browser) return;
  const data = JSON.parse(document.getElementById("on.data").textContent);
  const taskByName = new Map(data.tasks.map((task) => [task.name, task]));
  const letters = data.runs.map((_, i) => (i < 26 ? String.fromCharCode(65 + i) : `R${i + 1}`));
  let thumbnails = null; // parsed when first shown
  let lowerTexts = null; // texts in lower case, made at the first search

  // ---- The form and the cards.
  function createElement(tag, properties = {}, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  }

  const taskField = createElement("select", {}, ...data.tasks.map(({ name }) =>
    createElement("option", { value: name }, name)));
  const kindField = createElement("select");
  const searchField = createElement("input", { type: "search", placeholder: "words, all of them" });
  const outcomeFields = data.runs.map(() => createElement("select", {}, ...["any", ...Object.keys(OUTCOMES)].map(
    (outcome) => createElement("option", { value: outcome === "any" ? "" : outcome }, outcome))));
  const count = createElement("span", { ariaLive: "polite" });
  const backButton = createElement("button", { type: "button" }, "‹ back");
  const nextButton = createElement("button", { type: "button" }, "next ›");
  const clearButton = createElement("button", { type: "button" }, "clear filters");
  const cards = createElement("div", { className: data.runs.length > 4 ? "cards many" : "cards" });
  browser.append(
    createElement("div", { className: "filters" },
      createElement("label", {}, "task", taskField),
      createElement("label", {}, "kind", kindField),
      createElement("label", { className: "search" }, "search", searchField),
      ...outcomeFields.map((field, i) => createElement("label", {}, `${letters[i]} ${data.runs[i]}`, field))),
    createElement("div", { className: "bar" }, backButton, nextButton, count, clearButton),
    cards,
  );

  // ---- The address.
  function decode(text) {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  }

  function readAddress() {
    const [path, query] = location.hash.slice(1).split("?");
    const [name, id] = path.split("/").map(decode);
    const parameters = new URLSearchParams(query ?? "");
    const namesTask = taskByName.has(name);
    return {
      namesTask,
      task: namesTask ? name : data.tasks[0].name,
      id: namesTask && id !== undefined && id !== "" ? Number(id) : null,
      kind: parameters.get("kind"),
      search: parameters.get("search") ?? "",
      outcomes: data.runs.map((run) =>
        Object.keys(OUTCOMES).find((outcome) => parameters.getAll(outcome).includes(run)) ?? ""),
      page: Math.max(1, parseInt(parameters.get("page") ?? "1", 10) || 1),
    };
  }

  function formatAddress(state) {
    const parameters = new URLSearchParams();
    if (state.kind !== null) parameters.set("kind", state.kind);
    if (state.search) parameters.set("search", state.search);
    state.outcomes.forEach((outcome, i) => outcome && parameters.append(outcome, data.runs[i]));
    if (state.page > 1) parameters.set("page", state.page);
    const id = state.id === null ? "" : `/${state.id}`;
    return `#${encodeURIComponent(state.task)}${id}${parameters.size ? `?${parameters}` : ""}`;
  }

  const goTo = (changes) => location.replace(formatAddress({ ...readAddress(), ...changes }));

  // ---- What the address shows.
  function makeFilter(task, state) {
    lowerTexts ??= data.texts.map((text) => text.toLowerCase());
    const words = state.search.toLowerCase().split(/\s+/).filter(Boolean);
    const kind = state.kind === null ? -1 : task.kinds.indexOf(state.kind);
    const requiredOutcomes = state.outcomes
      .map((outcome, i) => [task.runs[data.runs[i]], OUTCOMES[outcome]])
      .filter(([, code]) => code);
    return (i) =>
      (state.kind === null || task.kind[i] === kind) &&
      requiredOutcomes.every(([run, code]) => run && run.outcomes[i] === code) &&
      words.every((word) =>
        task.options[i].some((text) => lowerTexts[text].includes(word)) || String(task.id[i]) === word);
  }

  function show() {
    const state = readAddress();
    const task = taskByName.get(state.task);
    fillForm(state, task);
    const matches = [...task.id.keys()].filter(makeFilter(task, state));
    const pageCount = Math.max(1, Math.ceil(matches.length / CARDS_PER_PAGE));
    const linked = state.id === null ? -1 : matches.findIndex((i) => task.id[i] === state.id);
    const page = linked >= 0 ? Math.floor(linked / CARDS_PER_PAGE) + 1 : Math.min(state.page, pageCount);
    const missing = state.id !== null && linked < 0 ? ` · question ${state.id} is not among them` : "";
    const matchCount = matches.length.toLocaleString("en");
    const totalCount = task.id.length.toLocaleString("en");
    count.textContent = `${matchCount} of ${totalCount} questions · page ${page} of ${pageCount}${missing}`;
    backButton.disabled = page === 1;
    nextButton.disabled = page === pageCount;
    backButton.onclick = () => goTo({ page: page - 1, id: null });
    nextButton.onclick = () => goTo({ page: page + 1, id: null });
    const onPage = matches.slice((page - 1) * CARDS_PER_PAGE, page * CARDS_PER_PAGE);
    cards.replaceChildren(...onPage.map((i) => createCard(task, i, task.id[i] === state.id)));
    cards.dataset.shown = matches.length;
    if (linked >= 0) cards.children[linked % CARDS_PER_PAGE].scrollIntoView({ block: "center" });
    else if (state.namesTask && !browser.contains(document.activeElement)) browser.parentElement.scrollIntoView();
  }

  function fillForm(state, task) {
    taskField.value = state.task;
    const kinds = [...new Set(task.kind)].map((kind) => task.kinds[kind]);
    const kindOptions = kinds.map((kind) => new Option(kind || "none", `=${kind}`));
    kindField.replaceChildren(new Option("any", "any"), ...kindOptions);
    kindField.value = state.kind === null ? "any" : `=${state.kind}`;
    if (document.activeElement !== searchField) searchField.value = state.search;
    outcomeFields.forEach((field, i) => {
      field.value = state.outcomes[i];
      field.disabled = !(data.runs[i] in task.runs);
    });
  }

  function createCard(task, i, isLinked) {
    thumbnails ??= JSON.parse(document.getElementById("on.thumbnails").textContent);
    const runs = data.runs
      .map((name, index) => ({ name, letter: letters[index], answers: task.runs[name] }))
      .filter(({ answers }) => answers);
    const heading = createElement("tr", {}, createElement("th"),
      ...runs.map(({ name, letter }) => createElement("th", { title: name }, letter)));
    const rows = task.options[i].map((_, option) => createOptionRow(task, i, option, runs));
    const group = task.grouped ? ` · group ${task.group[i]}` : "";
    const address = formatAddress({ ...NO_FILTERS, task: task.name, id: task.id[i] });
    const link = createElement("a", { href: address }, `#${task.id[i]}`);
    const source = `data:image/webp;base64,${thumbnails[task.image[i]]}`;
    const remark = createElement("small", {}, link, ` · ${task.kinds[task.kind[i]] || "no kind"}${group}`);
    const card = createElement("article", { className: isLinked ? "card linked" : "card", tabIndex: 0 });
    card.append(
      createElement("img", { src: source, alt: "" }),
      createElement("div", {}, remark, createElement("table", {}, heading, ...rows)),
    );
    return card;
  }

  function createOptionRow(task, i, option, runs) {
    const text = createElement("td", {}, data.texts[task.options[i][option]]);
    if (task.option_kinds[i].length) {
      text.append(createElement("small", {}, task.kinds[task.option_kinds[i][option]]));
    }
    const scores = runs.map(({ answers }) => {
      const picked = answers.picks[i] === option;
      const outcome = answers.outcomes[i];
      const colour = !picked ? "" : outcome === OUTCOMES.right ? " good" : outcome === OUTCOMES.wrong ? " bad" : "";
      const score = (answers.scores[i][option] / data.scale).toFixed(4);
      return createElement("td", { className: `score${colour}` }, (picked ? MARKS[outcome] : "") + score);
    });
    return createElement("tr", { className: option === task.answer[i] ? "right" : "" }, text, ...scores);
  }

  // ---- Input.
  const NO_FILTERS = { kind: null, search: "", outcomes: data.runs.map(() => ""), page: 1, id: null };
  const FIRST_PAGE = { page: 1, id: null };
  let searchTimer = 0;
  taskField.onchange = () => goTo({ ...NO_FILTERS, task: taskField.value });
  kindField.onchange = () =>
    goTo({ ...FIRST_PAGE, kind: kindField.value === "any" ? null : kindField.value.slice(1) });
  outcomeFields.forEach((field) => field.addEventListener("change", () =>
    goTo({ ...FIRST_PAGE, outcomes: outcomeFields.map(({ value }) => value) })));
  clearButton.onclick = () => {
    searchField.value = "";
    goTo({ ...NO_FILTERS });
  };
  searchField.oninput = () => {
    clearTimeout(searchTimer);
    searchTimer = setTimeout(() => goTo({ ...FIRST_PAGE, search: searchField.value.trim() }), 200);
  };
  window.addEventListener("hashchange", show);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === "Escape" && typing) event.target.blur();
    if (typing) return;
    const focused = [...cards.children].indexOf(document.activeElement);
    const step = { j: 1, k: -1 }[event.key];
    if (event.key === "/") searchField.focus();
    else if (event.key === "ArrowRight" && !nextButton.disabled && isInView()) nextButton.click();
    else if (event.key === "ArrowLeft" && !backButton.disabled && isInView()) backButton.click();
    else if (step) cards.children[focused < 0 ? 0 : focused + step]?.focus();
    else return;
    event.preventDefault();
  });

  // Whether the questions are in view; elsewhere the arrow keys scroll as usual.
  function isInView() {
    const { top, bottom } = browser.getBoundingClientRect();
    return top < innerHeight && bottom > 0 && !document.activeElement.closest(".wide");
  }

  show();
})();
