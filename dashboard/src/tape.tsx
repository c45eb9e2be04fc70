// The orders as they commit, newest on top, whichever front end they came through.

import { count, exact } from "./format.ts";
import type { Floor } from "./model.ts";
import { NotKnown } from "./not-known.tsx";
import { Scroll } from "./scroll.tsx";

export function Tape({ floor }: { floor: Floor }) {
  const { tape, more } = floor;
  return (
    <section class="panel tape" aria-labelledby="tape-title">
      <div class="panel-head">
        <h2 id="tape-title">Tape</h2>
        <p class="aside">
          {more > 0 ? `and ${count(more)} more just now` : "orders as they commit"}
        </p>
      </div>
      {tape === null ? (
        <NotKnown what="The orders" cluster={floor.cluster} />
      ) : tape.length === 0 ? (
        <div class="empty" data-testid="no-orders">
          <p>No order yet.</p>
          <p>The first one is yours to make.</p>
        </div>
      ) : (
        <Scroll class="tape-scroll" label="Newest orders">
          <ol class="orders">
            {tape.map(({ number, name, type, quantity }) => (
              <li key={number}>
                <span class="order-number">{exact(number)}</span>
                <span class={`order-side ${type}`}>{type === "buy" ? "Buy" : "Sell"}</span>
                <span class="order-quantity">{count(quantity)}</span>
                <span class="order-name">{name}</span>
              </li>
            ))}
          </ol>
        </Scroll>
      )}
    </section>
  );
}
