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
const recording = place?.dataset.recording;
if (place) render(recording === undefined ? <App /> : <Recorded url={recording} />, place);
