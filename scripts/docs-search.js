// The search of the documentation's site. SECTIONS is put before this by
// build-docs.ts: a global, since a page that was opened from a file may load no
// module.

const field = document.querySelector("#search");
const found = document.querySelector("#found");
const SHOWN_MAX = 12;
const EXCERPT_LENGTH = 90;

field.addEventListener("input", () => {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  found.replaceChildren(...(words.length === 0 ? [] : results(words)));
});

function results(words) {
  const ranked = SECTIONS.flatMap((section) => {
    const title = section.title.toLowerCase();
    const text = `${title} ${section.text.toLowerCase()}`;
    if (!words.every((word) => text.includes(word))) return [];
    return [{ section, rank: words.filter((word) => title.includes(word)).length }];
  }).sort((a, b) => b.rank - a.rank);
  if (ranked.length === 0) return [line("Nothing found.")];
  return ranked.slice(0, SHOWN_MAX).map(({ section }) => {
    const link = document.createElement("a");
    link.href = section.at;
    link.textContent =
      section.title === section.page ? section.title : `${section.page}: ${section.title}`;
    const excerpt = document.createElement("span");
    const at = Math.max(0, section.text.toLowerCase().indexOf(words[0]) - EXCERPT_LENGTH / 2);
    excerpt.textContent = section.text.slice(at, at + EXCERPT_LENGTH);
    return line(link, excerpt);
  });
}

function line(...parts) {
  const item = document.createElement("li");
  item.append(...parts);
  return item;
}
