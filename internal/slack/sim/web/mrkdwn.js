// Slack's markup as DOM nodes. Nothing is ever parsed as HTML.

const entities = { "&amp;": "&", "&lt;": "<", "&gt;": ">" };

/** @param {string} s */
export const plain = (s) => s.replace(/&(amp|lt|gt);/g, (m) => entities[m]);

/** @param {string} tag @param {string} [cls] @param {...(Node|string)} kids */
export function el(tag, cls, ...kids) {
  const e = document.createElement(tag);
  if (cls) e.className = cls;
  e.append(...kids);
  return e;
}

/** text returns s with its line breaks. @param {string} s */
function lines(s) {
  const out = [];
  plain(s).split("\n").forEach((line, i) => {
    if (i) out.push(el("br"));
    if (line) out.push(line);
  });
  return out;
}

/** @param {number} seconds @param {string} format */
function date(seconds, format) {
  const d = new Date(seconds * 1000);
  const day = d.toLocaleDateString([], { day: "numeric", month: "short", year: "numeric" });
  const t = el("time", "", format
    .replace(/\{date[a-z_]*\}/g, d.toDateString() === new Date().toDateString() ? "today" : day)
    .replace("{time}", d.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })));
  t.dateTime = d.toISOString();
  return t;
}

/** angle renders what stands between < and >. @param {string} s @param {(id: string) => string} name */
function angle(s, name) {
  const [head, label] = s.split("|", 2);
  if (head.startsWith("@")) return el("span", "mention", "@" + name(head.slice(1)));
  if (head.startsWith("#")) return el("span", "mention", "#" + (label ?? name(head.slice(1))));
  if (head.startsWith("!date^")) {
    const [, seconds, format] = head.split("^");
    return date(Number(seconds), format);
  }
  if (head.startsWith("!")) return el("span", "mention loud", "@" + head.slice(1).split("^")[0]);
  if (/^(https?|mailto):/.test(head)) {
    const a = el("a", "", plain(label ?? head));
    a.href = plain(head);
    a.target = "_blank";
    a.rel = "noopener noreferrer";
    return a;
  }
  return document.createTextNode(plain("<" + s + ">"));
}

const inline = /```([\s\S]+?)```|`([^`\n]+)`|<([^<>]+)>|(?<![\w*])\*(\S(?:[^*\n]*\S)?)\*(?![\w*])|(?<![\w_])_(\S(?:[^_\n]*\S)?)_(?![\w_])|(?<![\w~])~(\S(?:[^~\n]*\S)?)~(?![\w~])/g;

/** mrkdwn renders Slack's markup. @param {string} s @param {(id: string) => string} name @returns {(Node|string)[]} */
export function mrkdwn(s, name) {
  const out = [];
  let at = 0;
  for (const m of s.matchAll(inline)) {
    out.push(...lines(s.slice(at, m.index)));
    at = m.index + m[0].length;
    if (m[1] !== undefined) out.push(el("pre", "", plain(m[1].replace(/^\n/, ""))));
    else if (m[2] !== undefined) out.push(el("code", "", plain(m[2])));
    else if (m[3] !== undefined) out.push(angle(m[3], name));
    else if (m[4] !== undefined) out.push(el("strong", "", ...mrkdwn(m[4], name)));
    else if (m[5] !== undefined) out.push(el("em", "", ...mrkdwn(m[5], name)));
    else out.push(el("s", "", ...mrkdwn(m[6], name)));
  }
  out.push(...lines(s.slice(at)));
  return out;
}

/** textNodes renders a text object. @param {{type: string, text: string}} t @param {(id: string) => string} name */
export const textNodes = (t, name) => (t.type === "mrkdwn" ? mrkdwn(t.text, name) : lines(t.text));
