// The page of the simulated workspace. State lives on the server: this page
// asks for it again whenever it is told that something changed.
import { el, mrkdwn, plain, textNodes } from "./mrkdwn.js";

const $ = (id) => document.getElementById(id);
const store = (k, v) => { try { sessionStorage.setItem(k, v); } catch { /* private window */ } };
const stored = (k) => { try { return sessionStorage.getItem(k) ?? ""; } catch { return ""; } };

let state = { users: [], channels: [], views: [], bot: { id: "", name: "" } };
let me = stored("me");
let channel = location.hash.slice(1);
let shown = ""; // what the message list shows, to leave it alone when nothing changed
const unread = new Map(); // messages seen, by channel

const name = (id) => {
  if (id === state.bot.id) return state.bot.name;
  return state.users.find((u) => u.id === id)?.name ?? state.channels.find((c) => c.id === id)?.name ?? id;
};

async function get(path) {
  const r = await fetch(path, { headers: { Accept: "application/json" } });
  if (!r.ok) throw new Error(await r.text());
  return r.json();
}

async function post(path, body) {
  const r = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  if (!r.ok) throw new Error(await r.text());
  return r.json();
}

function say(text, bad) {
  const s = $("status");
  s.textContent = text;
  s.classList.toggle("bad", Boolean(bad));
  clearTimeout(say.timer);
  if (text) say.timer = setTimeout(() => say(""), 8000);
}

// ---- messages

const time = (ts) => new Date(Number(ts) * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

function block(b, m) {
  switch (b.type) {
    case "header": return el("h3", "", ...textNodes(b.text, name));
    case "divider": return el("hr");
    case "section": return section(b);
    case "context": return el("p", "context", ...b.elements.map((e) => el("span", "", ...textNodes(e, name))));
    case "actions": {
      const row = el("div", "actions");
      row.append(...b.elements.filter((e) => e.type === "button").map((e) => button(e, m)));
      return row;
    }
  }
  return el("p", "context", "[" + b.type + "]");
}

function section(b) {
  const s = el("div", "section");
  if (b.text) s.append(el("p", "", ...textNodes(b.text, name)));
  if (b.fields) s.append(el("div", "fields", ...b.fields.map((f) => el("div", "", ...textNodes(f, name)))));
  return s;
}

function button(e, m) {
  const b = el("button", "button " + (e.style ?? ""), ...textNodes(e.text, name));
  b.type = "button";
  b.dataset.key = m.ts + e.action_id;
  b.addEventListener("click", async () => {
    if (e.confirm && !(await ask(e.confirm))) return;
    b.disabled = true;
    try {
      const r = await post("sim/click", { User: me, Channel: m.channel, TS: m.ts, Action: e.action_id, How: $("how").value });
      say(r.error, true);
    } catch (err) {
      say(err.message, true);
    } finally {
      b.disabled = false;
    }
  });
  return b;
}

function message(m, replies) {
  const a = el("article", m.for ? "message private" : "message");
  a.dataset.ts = m.ts;
  const who = el("p", "who", el("strong", "", name(m.user)), el("span", "app", "app"));
  const at = el("time", "", time(m.ts));
  at.dateTime = new Date(Number(m.ts) * 1000).toISOString();
  who.append(at);
  if (m.edited) who.append(el("span", "edited", "edited"));
  if (m.broadcast) who.append(el("span", "edited", "also sent to the channel"));
  if (m.for) who.append(el("span", "only", "Only visible to you"));
  const body = el("div", "body");
  if (m.blocks?.length) body.append(...m.blocks.map((b) => block(b, m)));
  else body.append(el("p", "", ...mrkdwn(m.text, name)));
  const right = el("div", "right", who, body);
  if (replies.length) {
    const t = el("section", "thread", ...replies.map((r) => message(r, [])));
    t.setAttribute("aria-label", replies.length === 1 ? "1 reply" : replies.length + " replies");
    t.prepend(el("p", "count", replies.length === 1 ? "1 reply" : replies.length + " replies"));
    right.append(t);
  }
  const face = el("div", "face", name(m.user).slice(0, 1));
  face.setAttribute("aria-hidden", "true");
  a.append(face, right);
  return a;
}

async function showMessages() {
  if (!channel) return;
  const want = channel;
  const list = await get("sim/messages?channel=" + encodeURIComponent(want) + "&user=" + encodeURIComponent(me));
  if (want !== channel) return;
  unread.set(want, list.length);
  const now = me + JSON.stringify(list) + JSON.stringify(state.users);
  if (now === shown) return;
  shown = now;
  const box = $("messages");
  const bottom = box.scrollHeight - box.scrollTop - box.clientHeight < 80;
  const focus = document.activeElement?.dataset?.key;
  const tops = list.filter((m) => !m.thread_ts || !list.some((o) => o.ts === m.thread_ts));
  box.replaceChildren(...tops.map((m) => message(m, list.filter((o) => o.thread_ts === m.ts))));
  $("empty").hidden = list.length > 0;
  if (focus) [...box.querySelectorAll("button")].find((b) => b.dataset.key === focus)?.focus();
  if (bottom) box.scrollTop = box.scrollHeight;
}

// ---- people and channels

function showPeople() {
  const s = $("me");
  if (!state.users.some((u) => u.id === me)) {
    me = state.users[0]?.id ?? "";
    wanted = true; // what this person alone can see
  }
  const opts = state.users.map((u) => {
    const o = el("option", "", u.name + (u.standing ? " (" + u.standing + ")" : ""));
    o.value = u.id;
    return o;
  });
  if (s.dataset.now !== JSON.stringify(state.users)) {
    s.dataset.now = JSON.stringify(state.users);
    s.replaceChildren(...opts);
  }
  s.value = me;
  if (document.activeElement !== $("trouble")) $("trouble").value = state.trouble;
  $("make").classList.toggle("on", Boolean(state.trouble || $("how").value));
}

function showChannels() {
  $("team").textContent = state.team;
  if (!state.channels.some((c) => c.id === channel)) channel = state.channels[0]?.id ?? "";
  $("channels").replaceChildren(...state.channels.map((c) => {
    const label = c.user ? state.bot.name : c.name;
    const a = el("a", c.user ? "dm" : "", el("span", "mark", c.user ? "●" : "#"), label);
    a.href = "#" + c.id;
    if (c.id === channel) a.setAttribute("aria-current", "page");
    return el("li", "", a);
  }));
  const c = state.channels.find((c) => c.id === channel);
  const title = c ? (c.user ? state.bot.name + ", to you alone" : "# " + c.name) : "";
  $("title").textContent = title;
  document.title = (title ? title + " · " : "") + "Simulated Slack workspace";
}

// ---- windows

function ask(c) {
  $("confirm-title").replaceChildren(...textNodes(c.title, name));
  $("confirm-text").replaceChildren(...textNodes(c.text, name));
  const yes = $("confirm-yes");
  yes.className = "button " + (c.style ?? "primary");
  yes.replaceChildren(...textNodes(c.confirm, name));
  $("confirm-no").replaceChildren(...textNodes(c.deny, name));
  const d = $("confirm");
  return new Promise((done) => {
    const end = (ok) => () => { d.onclose = null; d.close(); done(ok); };
    yes.onclick = end(true);
    $("confirm-no").onclick = end(false);
    d.onclose = end(false);
    d.showModal();
  });
}

let view = ""; // what the window shows

function showView() {
  const d = $("modal");
  const v = state.views.at(-1);
  if (!v) {
    view = "";
    if (d.open) d.close();
    return;
  }
  const now = JSON.stringify(v.view);
  const errors = v.errors ?? {};
  if (view !== v.id + now) {
    view = v.id + now;
    $("modal-title").replaceChildren(...textNodes(v.view.title, name));
    $("modal-body").replaceChildren(...v.view.blocks.map(field));
    $("modal-submit").hidden = !v.view.submit;
    if (v.view.submit) $("modal-submit").textContent = plain(v.view.submit.text);
    $("modal-close").textContent = v.view.close ? plain(v.view.close.text) : "Close";
    $("modal").dataset.view = v.id;
    if (!d.open) d.showModal();
    d.querySelector("textarea, input")?.focus();
  }
  const text = Object.values(errors).join(" ");
  $("modal-error").textContent = text;
  $("modal-error").hidden = !text;
}

function field(b) {
  if (b.type !== "input") return block(b, {});
  const input = el(b.element.multiline ? "textarea" : "input");
  input.id = "input-" + b.block_id;
  input.maxLength = b.element.max_length ?? 3000;
  input.dataset.block = b.block_id;
  input.dataset.action = b.element.action_id;
  const label = el("label", "", plain(b.label.text));
  label.htmlFor = input.id;
  return el("div", "field", label, input);
}

$("modal-form").addEventListener("submit", async (ev) => {
  ev.preventDefault();
  const values = {};
  for (const i of $("modal-body").querySelectorAll("[data-block]")) {
    if (!i.value.trim()) {
      $("modal-error").textContent = "Please complete this required field.";
      $("modal-error").hidden = false;
      i.focus();
      return;
    }
    (values[i.dataset.block] ??= {})[i.dataset.action] = i.value;
  }
  $("modal-submit").disabled = true;
  try {
    await post("sim/submit", { User: me, View: $("modal").dataset.view, Values: values });
  } catch (err) {
    say(err.message, true);
  } finally {
    $("modal-submit").disabled = false;
  }
});
$("modal-close").addEventListener("click", () => $("modal").close());
$("modal").addEventListener("close", () => {
  const id = $("modal").dataset.view;
  if (id && state.views.some((v) => v.id === id)) post("sim/close", { View: id }).catch((err) => say(err.message, true));
});

// ---- the loop

let wanted = false, busy = false;

async function refresh() {
  wanted = true;
  if (busy) return;
  busy = true;
  try {
    while (wanted) {
      wanted = false;
      state = await get("sim/state?user=" + encodeURIComponent(me));
      showPeople();
      showChannels();
      await showMessages();
      showView();
      await new Promise((done) => setTimeout(done, 100));
    }
  } catch {
    say("The simulated workspace does not answer.", true);
  } finally {
    busy = false;
  }
}

$("me").addEventListener("change", (ev) => { me = ev.target.value; store("me", me); refresh(); });
$("how").addEventListener("change", refresh);
$("trouble").addEventListener("change", (ev) => post("sim/trouble", { Trouble: ev.target.value }).catch((err) => say(err.message, true)));
addEventListener("hashchange", () => { channel = location.hash.slice(1); refresh(); $("title").focus(); });

const events = new EventSource("sim/events");
events.onmessage = refresh;
events.onopen = refresh;
events.onerror = () => say("The connection is lost; trying again.", true);
