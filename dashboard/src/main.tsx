// The page's beginning.

import "./language.ts";
import { render } from "preact";
import { App } from "./app.tsx";
import { takeToken } from "./playground.ts";
import { Recorded } from "./recorded.tsx";
import "uplot/dist/uPlot.min.css";
import "./styles/base.css";
import "./styles/floor.css";
import "./styles/cluster.css";

takeToken();
const place = document.getElementById("floor");
if (place) {
  const { recording, insecure } = place.dataset;
  const page =
    recording === undefined ? (
      <App isInsecure={insecure !== undefined} />
    ) : (
      <Recorded url={recording} />
    );
  render(page, place);
}
