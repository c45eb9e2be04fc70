import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { expect, test } from "vitest";
import { until } from "../../lab/wait.ts";
import type { ClusterConfig } from "../roles/config.ts";
import { LINKS_VARIABLE, PlaygroundLinks, seenOverLinks } from "./playground-links.ts";

function configured(replicaPort: number): ClusterConfig {
  const host = "127.0.0.1";
  return {
    frontends: [{ host, port: 8_000, name: "frontend" }],
    catalogs: [{ host, port: 9_096, name: "catalog" }],
    replicas: [
      { host, port: replicaPort, id: 9_090, name: "order-9090" },
      { host, port: 9_092, id: 9_092, name: "order-9092" },
    ],
  } as unknown as ClusterConfig;
}

test("each process sees the others at its links to them, and itself where it is", async () => {
  const links = await PlaygroundLinks.open(configured(9_090));
  try {
    const config = configured(9_090);
    const seen = seenOverLinks(config, "order-9090", links.environmentOf("order-9090"));
    expect(seen.replicas[0]).toEqual(config.replicas[0]);
    expect(seen.replicas[1]?.port).not.toBe(9_092);
    expect(seen.replicas[1]).toMatchObject({ id: 9_092, name: "order-9092" });
    expect(seenOverLinks(config, "order-9090", {})).toBe(config);
    expect(links.all).toEqual([
      ["catalog", "frontend"],
      ["frontend", "order-9090"],
      ["frontend", "order-9092"],
      ["catalog", "order-9090"],
      ["catalog", "order-9092"],
      ["order-9090", "order-9092"],
    ]);
  } finally {
    links.close();
  }
});

test("a link that is cut carries nothing until it is mended, and others carry on", async () => {
  const heard: string[] = [];
  const server = createServer((socket) =>
    socket.on("data", (text) => heard.push(String(text))).on("error", () => {}),
  );
  await once(server.listen(0, "127.0.0.1"), "listening");
  const config = configured((server.address() as AddressInfo).port);
  const links = await PlaygroundLinks.open(config);
  const socketOf = (role: string) => {
    const places = JSON.parse(links.environmentOf(role)[LINKS_VARIABLE] ?? "");
    return connect(places["order-9090"]).on("error", () => {}); // reset at the end
  };
  const sockets = ["frontend", "catalog"].map(socketOf);
  const [frontend, catalog] = sockets;
  try {
    expect(links.play("cut", ["order-9090", "frontend"])).toBe(true);
    expect(links.play("cut", ["frontend", "order-9090"])).toBe(false);
    expect(links.cut).toEqual([["frontend", "order-9090"]]);
    frontend?.write("of the front end");
    catalog?.write("of the catalog");
    await until("the catalog is heard", () => heard.length > 0);
    expect(heard).toEqual(["of the catalog"]);
    expect(links.play("mend", ["order-9090", "frontend"])).toBe(true);
    await until("the front end is heard", () => heard.length > 1);
    expect(links.play("mend", ["order-9090", "frontend"])).toBe(false);
    expect(links.play("cut", ["frontend", "frontend"])).toBe(false);
  } finally {
    for (const socket of sockets) socket.destroy();
    links.close();
    server.close();
  }
});
