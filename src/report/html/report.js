// Filters the report, and opens what a link leads to. The page is whole without it.
(() => {
  'use strict';

  const reveal = () => {
    const target = document.getElementById(location.hash.slice(1));
    const details = target && target.querySelector('details');
    if (details && target.matches('.finding, .probes > li')) details.open = true;
  };
  addEventListener('hashchange', reveal);
  reveal();

  // Browsers that cannot print closed parts by style alone.
  let opened = [];
  addEventListener('beforeprint', () => {
    opened = [...document.querySelectorAll('details:not([open])')];
    opened.forEach((details) => { details.open = true; });
  });
  addEventListener('afterprint', () => { opened.forEach((details) => { details.open = false; }); });

  const form = document.getElementById('filter');
  if (!form) return;
  const status = document.getElementById('shown');
  const items = [...document.querySelectorAll('.probes > li')];
  const parts = [...document.querySelectorAll('[data-part]')];
  const others = [...document.querySelectorAll('article[data-probes], tr[data-probes]')]
    .map((element) => [element, element.dataset.probes.split(' ')]);

  // What a search looks through: the line, and the finding that tells of it. Read once, when first needed.
  const texts = new Map();
  const textOf = (element) => {
    if (!texts.has(element)) texts.set(element, element ? element.textContent.toLowerCase() : '');
    return texts.get(element);
  };
  // A finding names others too that failed alike: addresses are looked for in the line alone.
  const says = (item, word) => textOf(item).includes(word)
    || (!word.includes('@') && textOf(document.getElementById(item.dataset.finding || '')).includes(word));

  const apply = () => {
    const chosen = new FormData(form);
    const exact = ['role', 'owner', 'outcome', 'verdict'].filter((name) => chosen.get(name));
    const words = (chosen.get('text') || '').toLowerCase().split(/\s+/).filter(Boolean);
    const matching = new Set();
    for (const item of items) {
      const matches = exact.every((name) => item.dataset[name] === chosen.get(name))
        && words.every((word) => says(item, word));
      item.hidden = !matches;
      if (matches) matching.add(item.dataset.probes);
    }
    for (const [element, probes] of others) element.hidden = !probes.some((probe) => matching.has(probe));
    for (const part of parts) part.hidden = !part.querySelector('[data-probes]:not([hidden])');
    const filtered = exact.length > 0 || words.length > 0;
    form.classList.toggle('active', filtered);
    status.textContent = filtered ? `${matching.size} of ${items.length} probes shown` : '';
  };
  form.addEventListener('input', apply);
  form.addEventListener('reset', () => setTimeout(apply));
  form.addEventListener('submit', (event) => event.preventDefault());
  form.hidden = false;
  // A browser may bring back what was chosen before.
  apply();
})();
