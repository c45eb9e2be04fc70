// What the page shows when something is gone: a leader, a quorum, the front end
// itself. Each has its own clear state, and goes by itself.

import { expect, test } from "vitest";
import { useClusters } from "../system/harness/lifetime.ts";
import { Load, tradeInTurn } from "../system/harness/load.ts";
import { violations } from "./harness/axe.ts";
import { screenshot, usePages } from "./harness/browser.ts";

const clusters = useClusters("test");
const pages = usePages();
/** What Chromium notes of a connection that is gone. */
const LOST = /ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_CONNECTION_RESET|status of 503/;

test("a fail-over is shown, and no trader has to do anything about it", async () => {
  const cluster = await clusters.prepare({ logLevel: "info" });
  await cluster.up("--no-restart");
  const load = new Load([cluster.client(), cluster.client()], (_client, nth) => ({
    name: "FishCo",
    type: nth % 2 === 0 ? "sell" : "buy",
    quantity: 1,
  }));
  const page = await pages.open(cluster.url);
  const [, middle, high] = cluster.replicas;
  const node = (id: number) => page.locator(`[data-role="order-${id}"]`);
  await node(high).getByText("leads").waitFor();
  await cluster.kill(`order-${high}`);
  await node(high).getByText("down").waitFor();
  await node(middle).getByText("leads").waitFor();
  const moments = page.getByTestId("moments");
  await moments
    .getByText(new RegExp(`^Replica ${middle} leads, epoch \\d+, after .* without`))
    .waitFor();
  await moments.getByText(`Replica ${high} is lost as leader`).waitFor();
  await screenshot(page, "failover-1440-light");
  const { traded } = await load.stop();
  expect(traded.filter(({ call }) => call.status !== 200)).toEqual([]);
  expect(await violations(page)).toEqual([]);

  // The ticket's user waits, and that is all.
  cluster.start("order", String(high));
  await node(high).getByText("follows").waitFor();
  await node(high).getByText("level").waitFor();
});

test("a bazaar without a quorum is shown as such, and a trade that waits in it is made later", async () => {
  const cluster = await clusters.prepare({ logLevel: "info" });
  await cluster.up("--no-restart");
  const page = await pages.open(cluster.url, { expected: LOST });
  const [low, middle, high] = cluster.replicas;
  await page.getByText("Open", { exact: true }).waitFor();
  await cluster.kill(`order-${high}`);
  await cluster.kill(`order-${middle}`);
  await page.getByTestId("banner").getByText("No quorum.").waitFor();
  await expect.poll(() => page.getByTestId("health").textContent()).toBe("No quorum");
  await page.getByRole("button", { name: /^Buy 10/ }).click();
  await page.getByTestId("outcome").getByText("Waiting for the leader").waitFor();
  await screenshot(page, "no-quorum-1440-light");
  expect(await violations(page)).toEqual([]);

  // Who doesn't want to wait gives up, and can still ask what became of it.
  await page.getByRole("button", { name: "Give up" }).click();
  await page.getByTestId("outcome").getByText("Given up").waitFor();
  await screenshot(page, "given-up-1440-light");
  await page.getByRole("button", { name: "Ask again" }).click();
  await page.getByTestId("outcome").getByText("Waiting for the leader").waitFor();

  cluster.start("order", String(middle));
  await page
    .getByTestId("outcome")
    .getByText(/^Bought 10/)
    .waitFor();
  await page.getByText("Open, no spare: one more failure stops trading").waitFor();
  await screenshot(page, "no-spare-1440-light");
  expect(await violations(page)).toEqual([]);
  await page
    .locator(`[data-role="order-${low}"]`)
    .getByText(/follows|leads/)
    .waitFor();
});

test("a page that is opened without a quorum says that the stocks and orders aren't known", async () => {
  const cluster = await clusters.prepare({ logLevel: "info" });
  await cluster.up("--no-restart");
  await tradeInTurn(cluster.client(), [{ name: "FishCo", type: "buy", quantity: 5 }]);
  const [, middle, high] = cluster.replicas;
  await cluster.kill(`order-${high}`);
  await cluster.kill(`order-${middle}`);
  const page = await pages.open(cluster.url, { expected: LOST });
  await page.getByTestId("banner").getByText("No quorum.").waitFor();
  await page.getByText("The stocks are not known while no leader answers.").waitFor();
  await page.getByText("The orders are not known while no leader answers.").waitFor();
  const body = (await page.locator("body").textContent()) ?? "";
  expect(body).not.toMatch(/\b0 stocks|Nothing is on offer|No order yet/);
  const orders = page.locator("dt", { hasText: /^Orders$/ }).locator("+ dd");
  expect(await orders.textContent()).toBe("–");
  await screenshot(page, "opened-without-quorum-1440-light");
  expect(await violations(page)).toEqual([]);

  cluster.start("order", String(middle));
  await page.getByRole("rowheader", { name: "FishCo" }).waitFor();
  await page
    .getByRole("listitem")
    .filter({ hasText: /^1Buy5FishCo$/ })
    .waitFor();
  await expect.poll(() => orders.textContent()).toBe("1");
});

test("a page whose front end is gone says so, and goes on once that is back", async () => {
  const cluster = await clusters.prepare({ logLevel: "info" });
  const up = await cluster.up();
  const page = await pages.open(cluster.url, { expected: LOST });
  await page.getByText("Open", { exact: true }).waitFor();
  up.signal("SIGSTOP"); // or it might be back before the page thinks it worth a word
  const before = await cluster.kill("frontend");
  await page.getByTestId("banner").getByText("Connection lost.").waitFor();
  await screenshot(page, "lost-1440-light");
  expect(await violations(page)).toEqual([]);
  up.signal("SIGCONT"); // it starts it again
  await cluster.running("frontend", before);
  await page.getByText("Open", { exact: true }).waitFor();
  await expect.poll(() => page.getByTestId("banner").count()).toBe(0);
  await page.getByRole("button", { name: /^Buy 10/ }).click();
  await page
    .getByTestId("outcome")
    .getByText(/^Bought 10/)
    .waitFor();
});

test("a front end that is paused is shown as lost, though its connection is open", async () => {
  const cluster = await clusters.up({ logLevel: "info" });
  const page = await pages.open(cluster.url, { expected: LOST });
  await page.getByText("Open", { exact: true }).waitFor();
  await cluster.signal("frontend", "SIGSTOP");
  await page.getByTestId("banner").getByText("Connection lost.").waitFor();
  await cluster.signal("frontend", "SIGCONT");
  await page.getByText("Open", { exact: true }).waitFor();
});
