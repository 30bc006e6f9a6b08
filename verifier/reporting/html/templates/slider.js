"use strict";
// A slider over the steps of a training: what was computed beforehand is put in place, as text.
(() => {
  const data = JSON.parse(document.getElementById("slider-data").textContent);
  const tools = document.querySelector(".slider");
  const slider = tools.querySelector("input");
  const place = tools.querySelector("output");
  const start = Number(slider.value);
  const text = (number) => data.texts[number];

  const element = (tag, properties, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };

  const both = (short, full) =>
    full === undefined || full === short
      ? [text(short)]
      : [
          element("span", { className: "six" }, text(short)),
          element("span", { className: "all" }, text(full)),
        ];

  const heading = ([title, isWord]) =>
    element("th", { scope: "col", className: isWord ? "word" : "" }, text(title));

  const cell = ([kinds, isHeader, short, full]) => {
    const properties = isHeader ? { scope: "row" } : {};
    return element(isHeader ? "th" : "td", { ...properties, className: text(kinds) }, ...both(short, full));
  };

  const row = ([outcome, ...cells]) => element("tr", { className: text(outcome) }, ...cells.map(cell));

  const section = (title) =>
    [...document.querySelectorAll("section")].find(
      (one) => one.querySelector("h2")?.textContent === title);

  const showTable = (title, { note, headings, rows }) => {
    const own = section(title);
    const table = own?.querySelector("table");
    if (!table) return;
    table.tHead.replaceChildren(element("tr", {}, ...headings.map(heading)));
    table.tBodies[0].replaceChildren(...rows.map(row));
    const said = own.querySelector("p.note");
    if (said) said.textContent = text(note);
  };

  const showLine = (line, [isWrong, label, ...numbers], isFull) => {
    const [torch, symbolic] = numbers.slice(isFull ? 2 : 0);
    const words = [label, torch, symbolic].map(text).filter((word) => word);
    const isTitle = line.querySelector("text").getAttribute("font-weight") === "bold" && !text(torch);
    [...line.querySelectorAll("text")].forEach((own, which) => {
      own.textContent = words[which] ?? "";
      own.setAttribute("fill", isWrong ? "#d55e00" : "currentColor");
      own.setAttribute("font-weight", isWrong || isTitle ? "bold" : "normal");
    });
  };

  const showGraph = ({ boxes, lines }, [title, description]) => {
    const caption = document.querySelector(".diagram figcaption");
    caption?.replaceChildren(element("b", {}, `${text(title)}.`), ` ${text(description)}`);
    for (const [which, svg] of [...document.querySelectorAll(".diagram svg")].entries()) {
      svg.querySelector("title").textContent = text(title);
      svg.querySelector("desc").textContent = text(description);
      svg.querySelectorAll(".line").forEach((line, k) => showLine(line, lines[k], which === 1));
      svg.querySelectorAll(".box").forEach((box, k) => {
        box.setAttribute("stroke", boxes[k] ? "#d55e00" : "#888888");
        box.setAttribute("stroke-width", boxes[k] ? "2.5" : "1");
      });
    }
  };

  const showFormulas = (formulas) => {
    const codes = document.querySelectorAll("section details code");
    document.querySelectorAll(".formula").forEach((formula, k) => {
      const [whole, short, full] = formulas[k];
      const words = formula.querySelectorAll(".numbers mtext");
      if (words.length) {
        words[0].textContent = text(short);
        words[words.length - 1].textContent = text(full);
      }
      if (codes[k]) codes[k].textContent = text(whole);
    });
  };

  const showVerdict = (outcome, sentences) => {
    const verdict = document.querySelector(".verdict");
    verdict.className = `verdict ${text(outcome)}`;
    const [first, ...rest] = sentences.map(text);
    verdict.replaceChildren(
      element("p", {}, element("strong", {}, first)),
      ...rest.map((sentence) => element("p", {}, sentence)));
  };

  const show = () => {
    const position = Number(slider.value);
    const step = data.steps[position];
    place.textContent = data.positions[position];
    slider.setAttribute("aria-valuetext", data.positions[position]);
    document.querySelector("h1").textContent = text(step.title);
    showVerdict(step.outcome, step.verdict);
    for (const [title, table] of Object.entries(step.tables)) showTable(title, table);
    showGraph(step.graph, step.caption);
    // It is about the step of which the page was made.
    const parted = section("Where the two part");
    if (parted) parted.hidden = position !== start;
    showFormulas(step.formulas);
  };

  tools.hidden = false;
  slider.addEventListener("input", show);
})();
