// The page's beginning.

import "./language.ts";
import { render } from "preact";
import { App } from "./app.tsx";
import { takeToken } from "./playground.ts";
import "uplot/dist/uPlot.min.css";
import "./styles/base.css";
import "./styles/floor.css";
import "./styles/cluster.css";

takeToken();
const place = document.getElementById("floor");
if (place) render(<App />, place);
