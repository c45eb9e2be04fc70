// A line as small as a word: how a quantity went. In one colour, whichever way it
// goes: it is no price. The numbers are beside it, so screen readers pass it over.

const WIDTH = 100;
const HEIGHT = 24;
const PAD = 2;

export function Sparkline({ values }: { values: readonly number[] }) {
  if (values.length < 2) return <span class="spark-none" aria-hidden="true" />;
  const low = Math.min(...values);
  const high = Math.max(...values);
  const range = high - low;
  const x = (index: number) => (index / (values.length - 1)) * WIDTH;
  const y = (value: number) =>
    range === 0 ? HEIGHT / 2 : PAD + (1 - (value - low) / range) * (HEIGHT - 2 * PAD);
  const line = values.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`);
  return (
    <svg
      class="spark"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <polygon points={`0,${HEIGHT} ${line.join(" ")} ${WIDTH},${HEIGHT}`} />
      <polyline points={line.join(" ")} />
    </svg>
  );
}
