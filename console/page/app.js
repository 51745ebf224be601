// SPDX-License-Identifier: Apache-2.0
// Everything that comes from events goes into the page as text, never as markup: it is the attacker's.
"use strict";

const byId = (id) => document.getElementById(id);

function element(name, props = {}, ...children) {
  const e = Object.assign(document.createElement(name), props);
  e.append(...children.filter((c) => c !== null && c !== undefined));
  return e;
}

function token() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem("token", given);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem("token") || "";
}

async function ask(path, options = {}) {
  const answer = await fetch("/api/v1/" + path, {
    ...options, headers: { Authorization: "Bearer " + token(), "Content-Type": "application/json" },
  });
  if (answer.status === 401) {
    sessionStorage.removeItem("token");
    byId("login").hidden = false;
    byId("list").hidden = true;
  }
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.detail || answer.statusText);
  return body;
}

const when = (s) => (s ? s.replace("T", " ").replace(/\.\d+Z$/, "Z") : "");

function row(v) {
  const r = element("tr", { tabIndex: 0 },
    element("td", { className: "severity " + v.severity, textContent: v.severity }),
    element("td", {}, element("strong", { textContent: v.title }), element("br"), v.rule.id),
    element("td", {}, ...v.entities.slice(0, 4).map((e) => element("span", { className: "chip", textContent: e.type + " " + e.name }))),
    element("td", { textContent: v.event_count + (v.capped ? "+" : "") }),
    element("td", { textContent: when(v.last_event) }),
    element("td", { textContent: v.status }));
  const open = () => show(v.id).catch(tell);
  r.addEventListener("click", open);
  r.addEventListener("keydown", (e) => { if (e.key === "Enter") open(); });
  return r;
}

async function refresh() {
  try {
    const [page, status] = await Promise.all([ask("incidents?limit=100"), ask("status")]);
    byId("login").hidden = true;
    byId("list").hidden = !byId("detail").hidden;
    byId("rows").replaceChildren(...page.items.map(row));
    byId("empty").hidden = page.items.length > 0;
    byId("status").textContent = `${status.rules} rules, ${status.match_lag + status.correlate_lag} messages waiting, clock ${when(status.clock)}`;
  } catch (e) {
    byId("status").textContent = e.message;
  }
}

// tell shows why something did not work: an answer that nobody sees is a button that does nothing.
const tell = (e) => { byId("status").textContent = e.message; };

async function show(id) {
  const [v, evidence] = await Promise.all([ask("incidents/" + id), ask("incidents/" + id + "/evidence")]);
  const back = element("button", { textContent: "Back" });
  back.addEventListener("click", () => { byId("detail").hidden = true; refresh(); });
  const buttons = [back];
  if (v.status !== "closed") {
    for (const [verdict, text] of [["true_positive", "Close: true positive"], ["benign", "Close: benign"], ["false_positive", "Close: false positive"]]) {
      const b = element("button", { textContent: text });
      b.addEventListener("click", () => ask("incidents/" + id + "/close", { method: "POST", body: JSON.stringify({ verdict }) }).then(() => show(id)).catch(tell));
      buttons.push(b);
    }
  }
  byId("detail").replaceChildren(
    element("p", {}, ...buttons),
    element("h2", { textContent: v.title }),
    element("p", {}, element("span", { className: "severity " + v.severity, textContent: v.severity }), ` ${v.status}, ${v.event_count} events, ${when(v.first_event)} to ${when(v.last_event)}`),
    element("p", { textContent: v.description }),
    element("p", {}, element("strong", { textContent: "Runbook: " }), v.runbook),
    element("p", {}, ...v.entities.map((e) => element("span", { className: "chip", textContent: e.type + " " + e.name })), ...v.attack.techniques.map((t) => element("span", { className: "chip", textContent: t }))),
    element("h3", { textContent: "Evidence" }),
    ...evidence.items.map((e) => element("article", {},
      element("h4", { textContent: `${when(e.time)}  ${e.step}  (${e.source})` }),
      element("p", { textContent: e.message }),
      element("pre", { textContent: e.raw === null ? e.note : JSON.stringify(e.raw, null, 1) }),
      element("p", { className: "hash", textContent: "SHA-256 " + e.sha256 }))));
  byId("list").hidden = true;
  byId("detail").hidden = false;
}

byId("login").addEventListener("submit", (e) => {
  e.preventDefault();
  sessionStorage.setItem("token", byId("token").value.trim());
  refresh();
});
refresh();
setInterval(() => { if (byId("detail").hidden) refresh(); }, 3000);
