// Everything that a reader would see as broken. Evaluates to { plots, texts, blocks, findings }.
(() => {
  const findings = [];
  const say = (what, element) => findings.push(what + ": " + (element.textContent || element.tagName).trim().slice(0, 60));
  document.querySelectorAll("details").forEach(d => { d.open = true; });
  const isSeen = e => e.getClientRects().length > 0;
  const overlap = (a, b, slack) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > slack && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > slack;
  let plots = 0, texts = 0;
  const outermost = [...document.querySelectorAll("svg")].filter(s => isSeen(s));
  for (const svg of outermost) {
    const isPlot = !svg.querySelector("svg");
    const box = svg.getBoundingClientRect();
    if (isPlot) {
      plots += 1;
      const marks = [...svg.querySelectorAll("path.p, path.h")];
      if (marks.length === 0) say("no marks", svg);
      for (const mark of marks) {
        const b = mark.getBBox();
        if (!(b.width > 0 && b.height > 0)) say("a mark without size", svg);
      }
      for (const line of svg.querySelectorAll("path.l, path.f, path.j")) {
        if (!(line.getBBox().width > 0)) say("a line without width", svg);
      }
    }
    const seen = [...svg.querySelectorAll("text")].map(t => ({ t, r: t.getBoundingClientRect() }));
    texts += isPlot ? seen.length : 0;
    seen.forEach(({ t, r }, i) => {
      if (r.left < box.left - .5 || r.right > box.right + .5 || r.top < box.top - .5 || r.bottom > box.bottom + .5) say("cut", t);
      for (const other of seen.slice(i + 1)) if (overlap(r, other.r, 1)) say("overlap with " + other.t.textContent, t);
    });
  }
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) {
    say("the page scrolls sideways", root.querySelector("h1") || root);
    for (const e of document.querySelectorAll("main *")) {
      if (!e.closest(".scroll") && isSeen(e) && e.getBoundingClientRect().right > root.clientWidth + 1) say("too wide", e);
    }
  }
  const blocks = [...document.querySelectorAll("h1, h2, h3, p, li, figcaption, summary, dt, dd, pre, .scroll, figure > svg")]
    .filter(e => isSeen(e) && !e.closest(".scroll td"));
  const placed = blocks.map(e => ({ e, r: e.getBoundingClientRect() })).sort((a, b) => a.r.top - b.r.top);
  placed.forEach(({ e, r }, i) => {
    if (!e.matches(".scroll") && (e.scrollWidth > e.clientWidth + 1) && e.clientWidth > 0 && !e.matches("svg")) say("text is cut", e);
    if (r.left < -.5 || r.right > root.clientWidth + .5) say("beyond the edge", e);
    for (let j = i + 1; j < placed.length && placed[j].r.top < r.bottom - 1; j += 1) {
      const other = placed[j];
      if (!e.contains(other.e) && !other.e.contains(e) && overlap(r, other.r, 1)) say("overlap with " + other.e.tagName, e);
    }
  });
  return { plots, texts, blocks: blocks.length, findings: findings.slice(0, 40) };
})()
