import { expect, test } from "vitest";
import { EventRing, messageOf } from "./events-ring.ts";

function ring(more: { messagesMax?: number; bytesMax?: number } = {}) {
  return new EventRing({ name: "abc", messagesMax: 3, bytesMax: 10_000, ...more });
}

test("a message is in the form of the standard for server-sent events", () => {
  expect(messageOf("change", { at: 1, text: "a\nb" }, "abc-7").text).toBe(
    'id: abc-7\nevent: change\ndata: {"at":1,"text":"a\\nb"}\n\n',
  );
});

test("a reader that comes back gets the messages that it missed", () => {
  const events = ring();
  expect(events.lastId).toBe("abc-0");
  const sent = [1, 2, 3].map((at) => events.add("change", { at }));
  expect(events.after("abc-1")).toEqual(sent.slice(1));
  expect(events.after("abc-0")).toEqual(sent);
  expect(events.after("abc-3")).toEqual([]);
});

test("who was away for too long gets no messages rather than some with a hole in them", () => {
  const events = ring();
  for (let at = 1; at <= 4; at++) events.add("change", { at });
  expect(events.after("abc-0")).toBeNull();
  expect(events.after("abc-1")).toHaveLength(3);
});

test("an id of another process, or of the future, or nonsense isn't taken for one of ours", () => {
  const events = ring();
  events.add("change", {});
  for (const id of ["abd-0", "abc-2", "abc--1", "abc", "", "abc-1x", `abc-${"9".repeat(40)}`]) {
    expect(events.after(id)).toBeNull();
  }
});

test("who was there before something was left out doesn't resume behind the hole", () => {
  const events = ring();
  events.add("change", { at: 1 });
  events.forget();
  expect(events.after("abc-1")).toBeNull();
  const [hereId, sent] = [events.lastId, events.add("change", { at: 2 })];
  expect(events.after("abc-1")).toBeNull();
  expect(events.after(hereId)).toEqual([sent]);
});

test("large messages take no more memory than is allowed", () => {
  const events = ring({ bytesMax: 100, messagesMax: 50 });
  for (let at = 1; at <= 50; at++) events.add("change", { text: "x".repeat(20) });
  expect(events.after("abc-49")).toHaveLength(1);
  expect(events.after("abc-40")).toBeNull();
});
