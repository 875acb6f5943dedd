// A document for React, beside Node's own fetch and signals, which are those that the package meets in practice.

import { Window } from "happy-dom";

const window = new Window({ url: "http://localhost/" });
const { document, navigator, HTMLElement, HTMLIFrameElement } = window;
Object.assign(globalThis, { window, document, navigator, HTMLElement, HTMLIFrameElement });
