"use strict";
// The page that searches an index. Texts become text nodes only, never HTML. Its address keeps the query: /?q=QUERY
(() => {
  const PAGE = 48; // results of one request, and of one grid: whole rows in each number of columns of serve.css
  const TYPING_MS = 90; // after a key, in which another one delays the search
  const NEXT_ROLE = { asked: "excluded", excluded: "off", off: "asked" };
  const ROLE_TEXT = { asked: "asked", excluded: "excluded", off: "ignored" };

  const byId = (id) => document.getElementById(id);
  const [query, method, strength, compare] = ["query", "method", "strength", "compare"].map(byId);
  const [chips, status, columns, viewer] = ["chips", "status", "columns", "viewer"].map(byId);
  let parts = []; // {text, role} of words, {row, path, role} of pictures
  let edited = false; // whether the parts, not the words in the box, are the query
  let about = null;
  let shown = []; // the columns: {parameters, section, list, end, offset, done, busy, results, cards}
  let searches = 0; // answers to an earlier one are dropped
  let viewed = null; // {column, number}

  function make(tag, properties = {}, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  }

  function say(text, isError = false) {
    status.textContent = text;
    status.className = isError ? "error" : "";
  }

  async function ask(path) {
    const response = await fetch(path, { headers: { Accept: "application/json" } });
    const type = response.headers.get("content-type") ?? "";
    const answer = type.startsWith("application/json") ? await response.json() : { error: await response.text() };
    if (!response.ok) throw new Error(answer.error || `the server answers with ${response.status}`);
    return answer;
  }

  const pictureSource = (row, size) => `/picture/${row}?size=${size}`;

  // ---- What is asked.
  function parameters(plain) {
    const words = parts.filter((part) => part.row === undefined);
    const result = new URLSearchParams();
    if (edited) {
      for (const { text, role } of words) if (role !== "off") result.append(role, text);
    } else if (query.value.trim()) {
      result.append("q", query.value);
    }
    for (const { row, role } of parts.filter((part) => part.row !== undefined)) {
      if (role !== "off") result.append(role === "asked" ? "like" : "unlike", row);
    }
    if (![...result.keys()].some((key) => key !== "unlike")) return null;
    result.append("negation", plain ? about.plain : method.value);
    if (!plain) result.append("strength", strength.value);
    return result;
  }

  function search() {
    searches += 1;
    strength.disabled = method.value === about.plain;
    const address = new URL(location.href);
    address.search = query.value ? `?${new URLSearchParams({ q: query.value })}` : "";
    history.replaceState(null, "", address);
    shown = [];
    if (!parameters(false)) {
      place();
      say(`${about.files.toLocaleString("en")} pictures of ${about.folder}, ${about.model}. Write what to find, and what not.`);
      if (!edited) parts = parts.filter((part) => part.row !== undefined);
      drawChips();
      return;
    }
    shown = (compare.checked ? [false, true] : [false]).map((plain) => {
      const list = make("div");
      const end = make("p", { className: "end" });
      const title = plain ? "plain cosine" : method.value;
      const section = make("section", { ariaLabel: title }, make("h2", {}, title), list, end);
      const begin = { offset: 0, done: false, busy: false, results: [], cards: [] };
      return { parameters: parameters(plain), section, list, end, ...begin };
    });
    columns.classList.add("waiting"); // the results of the search before stay until there are others
    for (const column of shown) more(column, searches);
  }

  // Shows the columns in the place of those of the search before.
  function place() {
    columns.className = shown.length > 1 ? "two" : "";
    columns.replaceChildren(...shown.map(({ section }) => section));
    scrollTo(0, 0);
  }

  // ---- Results, which are loaded as one scrolls.
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const column = shown.find(({ end }) => end === entry.target);
      if (entry.isIntersecting && column) more(column, searches);
    }
  }, { rootMargin: "800px" });

  async function more(column, number) {
    if (column.busy || column.done || !shown.includes(column)) return;
    column.busy = true;
    column.end.textContent = "searching…";
    try {
      const asked = new URLSearchParams([...column.parameters, ["offset", column.offset], ["limit", PAGE]]);
      const answer = await ask(`/api/search?${asked}`);
      if (number !== searches) return;
      if (!column.section.isConnected) place();
      if (column.offset === 0 && column === shown[0]) readAnswer(answer);
      const cards = answer.results.map((result, i) => card(column, result, column.offset + i));
      column.list.append(make("ul", { className: "grid" }, ...cards.map((button) => make("li", {}, button))));
      column.cards.push(...cards);
      column.results.push(...answer.results);
      column.offset += answer.results.length;
      column.done = column.offset >= answer.files || !answer.results.length;
      column.end.textContent = column.done ? `all ${answer.files.toLocaleString("en")} pictures` : "";
      column.busy = false;
      watcher.unobserve(column.end); // observed again, it is reported at once if it is still in sight
      if (!column.done) watcher.observe(column.end);
    } catch (error) {
      column.busy = false;
      column.end.textContent = "";
      if (number !== searches) return;
      if (!column.section.isConnected) place();
      say(error.message, true);
    }
  }

  function readAnswer(answer) {
    const read = answer.query;
    if (!edited) {
      const pictures = parts.filter((part) => part.row !== undefined);
      const asked = read?.asked ? [{ text: read.asked, role: "asked" }] : [];
      parts = [...asked, ...(read?.excluded ?? []).map((text) => ({ text, role: "excluded" })), ...pictures];
    }
    drawChips();
    const remark = read?.remark ? ` (${read.remark})` : "";
    const files = `${answer.files.toLocaleString("en")} pictures`;
    say(`${files}${answer.method ? `; exclusion by ${answer.method}` : ""}${remark}`);
  }

  function card(column, result, number) {
    const name = result.path.split("/").at(-1);
    const image = make("img", { loading: "lazy", decoding: "async", alt: result.path, width: 320, height: 320 });
    image.addEventListener("error", () => image.replaceWith(make("span", { className: "missing" }, "cannot be shown: it is gone or changed")));
    image.src = pictureSource(result.row, "small");
    const score = make("span", {}, result.score.toFixed(3));
    const button = make("button", { type: "button", title: result.path }, image,
      make("span", { className: "name" }, make("span", {}, name), score));
    button.addEventListener("click", () => view(column, number));
    return button;
  }

  // ---- Chips.
  function drawChips() {
    const focused = [...chips.children].indexOf(document.activeElement);
    chips.replaceChildren(...parts.map((part) => {
      const isPicture = part.row !== undefined;
      const label = isPicture ? part.path.split("/").at(-1) : part.text;
      const sign = { asked: isPicture ? "like" : "", excluded: isPicture ? "not like" : "no", off: "" }[part.role];
      const chip = make("button", { type: "button", className: part.role }, sign ? `${sign} ${label}` : label);
      chip.title = `${ROLE_TEXT[part.role]}; click: ${ROLE_TEXT[NEXT_ROLE[part.role]]}`;
      chip.ariaLabel = `${label}: ${ROLE_TEXT[part.role]}. Change to ${ROLE_TEXT[NEXT_ROLE[part.role]]}`;
      if (isPicture) chip.prepend(make("img", { src: pictureSource(part.row, "small"), alt: "" }));
      chip.addEventListener("click", () => {
        part.role = NEXT_ROLE[part.role];
        if (!isPicture) edited = true;
        drawChips();
        search();
      });
      return chip;
    }));
    chips.children[focused]?.focus();
  }

  function addPicture(role) {
    const { row, path } = viewed.column.results[viewed.number];
    parts = [...parts.filter((part) => part.row !== row), { row, path, role }];
    viewer.close();
    search();
  }

  // ---- One picture, large.
  function view(column, number) {
    if (number < 0 || number >= column.results.length) return;
    viewed = { column, number };
    const { row, path, score } = column.results[number];
    byId("viewer-image").src = pictureSource(row, "large");
    byId("viewer-image").alt = path;
    byId("viewer-path").textContent = `${number + 1}. ${path} (${score.toFixed(4)})`;
    if (!viewer.open) viewer.showModal();
    if (number > column.results.length - 4) more(column, searches);
  }

  function close() {
    viewer.close();
    viewed?.column.cards[viewed.number]?.focus();
  }

  byId("previous").addEventListener("click", () => view(viewed.column, viewed.number - 1));
  byId("next").addEventListener("click", () => view(viewed.column, viewed.number + 1));
  byId("like").addEventListener("click", () => addPicture("asked"));
  byId("unlike").addEventListener("click", () => addPicture("excluded"));
  byId("close").addEventListener("click", close);
  viewer.addEventListener("cancel", (event) => { event.preventDefault(); close(); });
  viewer.addEventListener("click", (event) => { if (event.target === viewer) close(); });

  // ---- Keys: / to the box, arrows among pictures, l and n in the large view.
  function step(key) {
    const cards = [...document.querySelectorAll(".grid button")];
    const at = cards.indexOf(document.activeElement);
    if (at < 0) return false;
    const top = cards[at].getBoundingClientRect().top;
    const rowLength = getComputedStyle(cards[at].closest(".grid")).gridTemplateColumns.split(" ").length;
    const target = cards[at + { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -rowLength, ArrowDown: rowLength }[key]];
    if (target) target.focus();
    else if (key === "ArrowUp" && top) query.focus();
    return true;
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (viewer.open) {
      const action = { ArrowLeft: "previous", ArrowRight: "next", l: "like", n: "unlike" }[event.key];
      if (action) byId(action).click();
      return;
    }
    if (event.key === "/" && event.target.tagName !== "INPUT") {
      event.preventDefault();
      query.select();
    } else if (event.key === "ArrowDown" && event.target === query) {
      document.querySelector(".grid button")?.focus();
      event.preventDefault();
    } else if (event.key.startsWith("Arrow") && event.target.tagName === "BUTTON" && step(event.key)) {
      event.preventDefault();
    }
  });

  // ---- The form.
  let typing = 0;
  function later() {
    clearTimeout(typing);
    // One search at a time, of the words as they are when the one before has its answer.
    typing = setTimeout(() => (shown.some((column) => column.busy) ? later() : search()), TYPING_MS);
  }
  query.addEventListener("input", () => { edited = false; later(); });
  byId("form").addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(typing); edited = false; search(); });
  strength.addEventListener("input", () => { byId("strength-value").textContent = Number(strength.value).toFixed(1); later(); });
  method.addEventListener("change", search);
  compare.addEventListener("change", search);

  ask("/api/index").then((answer) => {
    about = answer;
    document.title = `${about.folder}: negjax search`;
    method.append(...about.methods.map((name) => make("option", { value: name }, name)));
    query.value = new URLSearchParams(location.search).get("q") ?? "";
    search();
  }).catch((error) => say(error.message, true));
})();
