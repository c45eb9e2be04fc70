// Mends the browser's language where it is none. A browser that was started
// without a locale may call it "en-US@posix"; uPlot makes a number format of it
// as it is loaded, which throws, and the page would stay empty. Import this first.

try {
  new Intl.NumberFormat(navigator.language);
} catch {
  Object.defineProperty(navigator, "language", { value: "en", configurable: true });
}
