"use strict";
// A slider over runs that were computed when the page was made: one curve of them is seen.
(() => {
  for (const tools of document.querySelectorAll(".slider")) {
    const figure = tools.closest("figure");
    const slider = tools.querySelector("input");
    const place = tools.querySelector("output");
    const sentence = figure.querySelector(".run");
    const runs = JSON.parse(figure.querySelector("script").textContent);

    const show = () => {
      const position = Number(slider.value);
      const [name, words] = runs[position];
      place.textContent = name;
      slider.setAttribute("aria-valuetext", name);
      sentence.textContent = words;
      for (const run of figure.querySelectorAll("[id*='run-']")) {
        const isSeen = run.id.endsWith(`run-${position}`);
        run.setAttribute("visibility", isSeen ? "visible" : "hidden");
      }
    };

    tools.hidden = false;
    slider.addEventListener("input", show);
    show();
  }
})();
