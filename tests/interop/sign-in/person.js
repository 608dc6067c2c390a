#!/usr/bin/env node
// A person at a browser: follows redirects, keeps cookies, fills in the forms that the pages show,
// and ends where no form is left. As a program (`person.js URL`) it is the browser of a run whose
// $PERSON names a directory: `habits.json` there says how this person is, `cookies.json` is what
// the browser remembers, and each line of `visits` is a page that was opened.

import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const STEPS = 20;
const ANSWERS = { login: "ada", password: "any" };

/**
 * Opens a page and goes on to the end. `habits`: {denies}, {code} to enter, and {stays}: not to
 * leave the page's own origin, but to say where the way leads out of it.
 */
export async function visit(page, habits = {}, jar = []) {
  const trail = [];
  const home = new URL(page).origin;
  let next = { method: "GET", url: new URL(page) };
  for (let step = 0; step < STEPS; step++) {
    const { method, url, body, isNo } = next;
    if (habits.stays && url.origin !== home) return { trail, leads: url.href };
    const headers = { cookie: cookiesFor(jar, url), ...(body && { "content-type": "application/x-www-form-urlencoded" }) };
    const { answer, text } = await ask(url, { method, headers }, body);
    remember(jar, url, answer.headers["set-cookie"] ?? []);
    trail.push({ method, at: `${url.origin}${url.pathname}`, status: answer.statusCode });
    next = onwards(answer, url) || (!isNo && filled(text, url, habits));
    if (!next) return { trail, status: answer.statusCode, text };
  }
  throw new Error(`no end after ${STEPS} pages: ${trail.map(({ at }) => at).join(", ")}`);
}

/** Not `fetch`: it refuses some ports, and knows no `Host` but its own. */
export function ask(url, options, body) {
  return new Promise((resolve, reject) => {
    const asked = request(url, { ...options, agent: false }, (answer) => {
      let text = "";
      answer.on("data", (chunk) => (text += chunk));
      answer.on("end", () => resolve({ answer, text }));
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

function onwards(answer, url) {
  const { location } = answer.headers;
  return location && answer.statusCode >= 300 && answer.statusCode < 400 && { method: "GET", url: new URL(location, url) };
}

/** The page's first form, filled in; or the link that says no. */
function filled(text, url, { denies, code }) {
  const form = /<form\b([^>]*)>([\s\S]*?)<\/form>/i.exec(text);
  if (!form) return undefined;
  const no = /<a href="([^"]+)">\[ Cancel \]/.exec(text);
  if (denies && no) return { method: "GET", url: new URL(unescaped(no[1]), url) };
  const fields = new URLSearchParams();
  for (const [, input] of form[2].matchAll(/<input\b([^>]*)>/gi)) {
    const name = attribute(input, "name");
    const value = attribute(input, "value") ?? { ...ANSWERS, user_code: code }[name];
    if (name && value !== undefined) fields.append(name, value);
  }
  const isNo = denies && text.includes('name="abort"');
  if (isNo) fields.append("abort", "yes");
  return { method: "POST", url: new URL(attribute(form[1], "action"), url), body: fields.toString(), isNo };
}

function attribute(tag, name) {
  const found = new RegExp(`\\b${name}="([^"]*)"`, "i").exec(tag);
  return found && unescaped(found[1]);
}

function unescaped(text) {
  return text.replaceAll("&quot;", '"').replaceAll("&#39;", "'").replaceAll("&#x2F;", "/").replaceAll("&amp;", "&");
}

function cookiesFor(jar, url) {
  const fits = (cookie) => cookie.origin === url.origin && `${url.pathname}/`.startsWith(cookie.path.replace(/\/?$/, "/"));
  return jar.filter(fits).map(({ name, value }) => `${name}=${value}`).join("; ");
}

function remember(jar, url, fields) {
  for (const field of fields) {
    const [pair, ...attributes] = field.split(/; */);
    const [name, value] = [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)];
    const of = (wanted) => attributes.find((text) => text.toLowerCase().startsWith(`${wanted}=`))?.slice(wanted.length + 1);
    const path = of("path") ?? "/";
    const old = jar.findIndex((cookie) => cookie.origin === url.origin && cookie.name === name && cookie.path === path);
    if (old >= 0) jar.splice(old, 1);
    if (value && !(Date.parse(of("expires")) < Date.now())) jar.push({ origin: url.origin, path, name, value });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv[2]);

async function main(page) {
  const file = (name) => join(process.env.PERSON, name);
  const read = (name, otherwise) => {
    try {
      return JSON.parse(readFileSync(file(name), "utf8"));
    } catch {
      return otherwise;
    }
  };
  const note = (what) => appendFileSync(file("visits"), `${JSON.stringify({ page, ...what })}\n`);
  const habits = read("habits.json", {});
  note({ opened: Date.now() });
  if (habits.leaves) return;
  await sleep(habits.delay ?? 0);
  const jar = read("cookies.json", []);
  try {
    note({ ...(await visit(page, habits, jar)), ended: Date.now() });
  } catch (error) {
    note({ failed: `${error.message} ${error.cause ?? ""}` });
  }
  writeFileSync(file("cookies.json"), JSON.stringify(jar));
}
