// What pages do beyond links and forms. Everything works without it; nothing here builds markup or evaluates text.
"use strict";
(() => {
  const doc = document;
  const one = (sel, from = doc) => from.querySelector(sel);
  const all = (sel, from = doc) => Array.from(from.querySelectorAll(sel));
  const typing = (el) => el && (el.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(el.tagName) && !/^(checkbox|radio|button|submit)$/.test(el.type));

  // ---- relative times -------------------------------------------------------------------------------------------------------------------------
  // The page speaks of the server's moment, which in an exercise is not the machine's: only the time since loading is added.
  const clock = one("[data-clock]");
  const loaded = performance.now();
  const started = clock ? Date.parse(clock.dateTime) : Date.now();
  const now = () => started + (performance.now() - loaded);

  // length says a duration as the server does (words.go).
  function length(ms) {
    const s = Math.floor(ms / 1000), min = Math.floor(s / 60), h = Math.floor(min / 60), d = Math.floor(h / 24);
    if (s < 60) return s + " s";
    if (min < 60) return min + " min";
    if (d === 0) return min % 60 ? h + " h " + (min % 60) + " min" : h + " h";
    if (d < 14) { const day = d === 1 ? " day" : " days"; return h % 24 && d <= 6 ? d + day + " " + (h % 24) + " h" : d + day; }
    if (d < 60) { const w = Math.floor(d / 7); return w + (w === 1 ? " week" : " weeks"); }
    if (d < 730) return Math.round(d / 30.44) + " months";
    const y = Math.floor(d / 365); return y + (y === 1 ? " year" : " years");
  }
  function refresh() {
    for (const t of all("time[data-rel]")) {
      const ms = now() - Date.parse(t.dateTime);
      if (Number.isNaN(ms)) continue;
      t.textContent = Math.abs(ms) < 5000 ? "now" : ms > 0 ? length(ms) + " ago" : "in " + length(-ms);
    }
    if (clock) {
      const b = one("b", clock), d = new Date(now());
      if (b) b.textContent = d.toISOString().slice(11, 16) + "Z";
    }
  }
  setInterval(refresh, 15000);

  // ---- rows: j, k, x, Enter -----------------------------------------------------------------------------------------------------------------------
  let at = -1;
  const rows = () => all("[data-row]");
  function go(to) {
    const rs = rows();
    if (!rs.length) return;
    at = Math.max(0, Math.min(rs.length - 1, to));
    rs.forEach((r, i) => r.classList.toggle("at", i === at));
    const link = one("[data-open]", rs[at]);
    if (link) link.focus({ preventScroll: true });
    rs[at].scrollIntoView({ block: "nearest" });
  }
  function showMarks() {
    const bar = one("[data-bulk]");
    if (!bar) return;
    const n = all("[data-marks] input[name=ids]:checked").length;
    bar.hidden = n === 0;
    one("[data-marked]", bar).textContent = n + " marked";
  }
  doc.addEventListener("change", (e) => {
    if (e.target.name === "ids") showMarks();
    if (e.target.name === "colour") e.target.closest("[data-picture]").classList.toggle("bytactic", e.target.value === "tactic");
  });
  doc.addEventListener("click", (e) => {
    const b = e.target.closest("[data-needs-reason]");
    if (!b) return;
    const field = one("input[name=reason]", b.closest("[data-bulk]"));
    field.required = true;
    if (!field.value.trim()) { e.preventDefault(); field.focus(); field.reportValidity(); }
  });

  // ---- pictures as tables -------------------------------------------------------------------------------------------------------------------------
  function swap(pic, asTable) {
    const fig = one("[data-figure]", pic), tab = one("[data-as-table]", pic);
    if (!fig || !tab) return;
    const show = asTable === undefined ? tab.hidden : asTable;
    tab.hidden = !show; fig.hidden = show;
    const b = one("[data-table]", pic);
    if (b) b.firstChild.data = show ? "as picture " : "as table ";
    return show;
  }
  doc.addEventListener("click", (e) => {
    const b = e.target.closest("[data-table]");
    if (b) swap(b.closest("[data-picture]"));
  });

  // ---- keys ---------------------------------------------------------------------------------------------------------------------------------------
  let afterG = false;
  const help = () => { const d = one("#keys"); if (d && !d.open) d.showModal(); };
  function press(el) {
    if (el.tagName === "SUMMARY") {
      el.parentElement.open = true;
      const f = one("input:not([type=hidden]), select, textarea", el.parentElement);
      (f || el).focus();
      el.scrollIntoView({ block: "nearest" });
    } else { el.click(); }
  }
  doc.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.isComposing) return;
    if (e.key === "Escape") {
      for (const d of all("details.why[open], details.drop[open], details.you[open]")) d.open = false;
      if (typing(doc.activeElement)) doc.activeElement.blur();
      return;
    }
    if (typing(e.target) || one("dialog[open]")) return;
    const k = e.key;
    let used = true;
    if (afterG && /^[1-9]$/.test(k)) { const p = one(`[data-place="${k}"]`); if (p) p.click(); }
    else if (k === "/") one("[data-search]")?.select();
    else if (k === "?") help();
    else if (k === "j") go(at + 1);
    else if (k === "k") go(at - 1);
    else if (k === "x") { const c = rows()[at] && one("input[name=ids]", rows()[at]); if (c) { c.checked = !c.checked; showMarks(); } }
    else if (k === "Enter" && at >= 0 && doc.activeElement === doc.body) one("[data-open]", rows()[at])?.click();
    else if (k === "t") { let show; for (const p of all("[data-picture]")) show = swap(p, show); }
    else if (/^[1-9]$/.test(k)) {
      const own = one(`[data-key="${k}"]`), jump = all("[data-jump]")[k - 1];
      if (own) own.click();
      else if (jump) { const s = one(jump.getAttribute("href")); if (s) { s.scrollIntoView({ block: "start" }); history.replaceState(null, "", jump.getAttribute("href")); } }
    } else {
      const el = /^[a-z+]$/.test(k) && one(`[data-key="${k}"]`);
      if (el) press(el); else used = false;
    }
    afterG = k === "g" && !afterG;
    if (used) e.preventDefault();
  });
  doc.addEventListener("click", (e) => {
    if (e.target.closest("[data-help]")) help();
    for (const d of all("details.why[open], details.drop[open], details.you[open]")) if (!d.contains(e.target)) d.open = false;
  });
  doc.addEventListener("toggle", (e) => { // a popover near the edge opens inwards
    const pop = e.target.matches?.("details.why[open]") && one("div", e.target);
    if (pop) pop.classList.toggle("inward", pop.getBoundingClientRect().right > innerWidth - 8);
  }, true);

  // ---- copying attacker text: defanged unless asked ------------------------------------------------------------------------------------------------
  const alnum = "[\\p{L}\\p{N}]";
  const dots = new RegExp(`(?<=${alnum})([.@])(?=${alnum})`, "gu");
  function defang(text) {
    return text.split(/(\s+)/).map((w) => {
      const m = /^(.*?[a-z][a-z0-9+.-]*):\/\/([^/?#]*)(.*)$/is.exec(w);
      if (m) return m[1].replace(/http/g, "hxxp").replace(/HTTP/g, "HXXP").replace(/ftp/g, "fxp").replace(/FTP/g, "FXP") + "://" + m[2].replace(dots, "[$1]") + m[3];
      return /[\\/]/.test(w) ? w : w.replace(dots, "[$1]");
    }).join("");
  }
  function touchesRaw(sel) {
    for (let i = 0; i < sel.rangeCount; i++) {
      const r = sel.getRangeAt(i);
      const n = r.commonAncestorContainer, el = n.nodeType === 1 ? n : n.parentElement;
      if (el.closest(".raw")) return true;
      for (const x of el.querySelectorAll(".raw")) if (r.intersectsNode(x)) return true;
    }
    return false;
  }
  let hide;
  doc.addEventListener("copy", (e) => {
    const sel = doc.getSelection();
    if (!sel || sel.isCollapsed || !touchesRaw(sel)) return;
    const text = sel.toString(), safe = defang(text);
    e.clipboardData.setData("text/plain", safe); // and no text/html, which would carry markup along
    e.preventDefault();
    const toast = one("[data-copied]");
    if (!toast || safe === text) return;
    toast.hidden = false;
    one("button", toast).onclick = () => { navigator.clipboard.writeText(text); toast.hidden = true; };
    clearTimeout(hide);
    hide = setTimeout(() => { toast.hidden = true; }, 8000);
  });

  // ---- toast --------------------------------------------------------------------------------------------------------------------------------------
  const toast = one("[data-toast]");
  if (toast) setTimeout(() => { toast.hidden = true; }, one("form", toast) ? 12000 : 6000);

  // ---- passkeys -----------------------------------------------------------------------------------------------------------------------------------
  const bytes = (s) => Uint8Array.from(atob(s.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (b) => btoa(String.fromCharCode(...new Uint8Array(b))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  async function post(url, body, token) {
    const r = await fetch(url, { method: "POST", credentials: "same-origin", headers: { "Content-Type": "application/json", "X-CSRF-Token": token }, body: JSON.stringify(body) });
    if (!r.ok) throw new Error("the server answered " + r.status);
    return r.json();
  }
  const pass = one("[data-passkey]");
  if (pass && window.PublicKeyCredential) {
    pass.hidden = false;
    pass.addEventListener("click", async () => {
      const said = one("[data-passkey-said]");
      try {
        const o = await post(pass.dataset.passkey + "/begin", {}, pass.dataset.token);
        const pk = o.publicKey;
        pk.challenge = bytes(pk.challenge);
        for (const c of pk.allowCredentials || []) c.id = bytes(c.id);
        const c = await navigator.credentials.get({ publicKey: pk });
        const r = await post(pass.dataset.passkey + "/finish", { id: c.id, rawId: text(c.rawId), type: c.type, response: {
          authenticatorData: text(c.response.authenticatorData), clientDataJSON: text(c.response.clientDataJSON), signature: text(c.response.signature),
          userHandle: c.response.userHandle ? text(c.response.userHandle) : null } }, pass.dataset.token);
        location.assign(/^\/(?![/\\])/.test(r.next || "") ? r.next : "/");
      } catch (err) {
        said.hidden = false;
        said.textContent = "The passkey was not accepted: " + err.message + ". Nothing was changed. Try again, or use your password.";
      }
    });
  }

  // ---- once the page stands -----------------------------------------------------------------------------------------------------------------------
  function ready() {
    for (const el of all("[data-help], [data-table], [data-colour]")) el.hidden = false;
    const list = one("[data-page-keys]");
    if (list) {
      for (const el of all("[data-key-name]")) {
        const dt = doc.createElement("dt"), dd = doc.createElement("dd"), k = doc.createElement("kbd");
        k.textContent = el.dataset.key; dt.append(k); dd.textContent = el.dataset.keyName; list.append(dt, dd);
      }
    }
    const lit = one(".rail [aria-current]");
    if (lit && innerWidth < 720) lit.scrollIntoView({ inline: "center", block: "nearest" });
    refresh(); showMarks();
  }
  ready();
  doc.addEventListener("htmx:afterSwap", () => { at = -1; refresh(); showMarks(); });
})();
