// Opens a page with a <culvert-player> in headless Chromium, runs a script in it, and prints what was
// seen as JSON: {value, errors, requests, downloads, origin}. The job comes as JSON on standard input:
//
//     url      where to go; "SITE" in it is the address of `site`
//     site     HTML that another origin serves, at port if one is given
//     mocks    [{url, method, status, headers, body}]: answered instead of the server, globs
//     script   body of an async function in the page: has player, look(), until(condition, ms),
//              press(key)
//     frame    true: the script runs in the page's first frame
//     before   script that runs before the page's own
//     options  more of Chromium's command line
//
//     node visit.mjs FOLDER      FOLDER holds node_modules
import { createServer } from "node:http";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [folder] = process.argv.slice(2);
const require = createRequire(join(folder, "package.json"));
const { chromium } = require("playwright-core");
const job = JSON.parse(readFileSync(0, "utf8"));

const site = createServer((request, response) => {
  response.setHeader("content-type", "text/html");
  response.end(request.url === "/" ? job.site ?? "" : "");
});
await new Promise((done) => site.listen(job.port ?? 0, "127.0.0.1", done));
const origin = `http://127.0.0.1:${site.address().port}`;
const placed = (text) => (text ?? "").replaceAll("SITE", origin);
job.site = placed(job.site);

const profile = mkdtempSync(join(tmpdir(), "culvert-chromium-"));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: "/usr/bin/chromium", headless: true, ignoreHTTPSErrors: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--ignore-certificate-errors", "--autoplay-policy=no-user-gesture-required",
    ...(job.options ?? [])],
});

const helpers = () => {
  const frames = new WeakMap();
  window.violations = [];
  addEventListener("securitypolicyviolation", (event) =>
    window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
  window.find = () => document.querySelector("culvert-player");
  window.look = (player = window.find()) => {
    const { video, state, words, transport, figures } = player;
    const quality = video.getVideoPlaybackQuality();
    if (!frames.has(video)) {
      frames.set(video, 0);
      const count = () => {
        frames.set(video, frames.get(video) + 1);
        video.requestVideoFrameCallback(count);
      };
      video.requestVideoFrameCallback(count);
    }
    return { state, words, transport, figures, drawn: frames.get(video), width: video.videoWidth,
      frames: quality.totalVideoFrames, dropped: quality.droppedVideoFrames, muted: video.muted,
      paused: video.paused, time: performance.now() };
  };
  window.until = async (condition, ms) => {
    const deadline = performance.now() + ms;
    while (performance.now() < deadline && !(await condition()))
      await new Promise((done) => setTimeout(done, 50));
    return Boolean(await condition());
  };
};

const errors = [], requests = [], downloads = [];
try {
  const tab = await browser.newPage();
  await tab.addInitScript(helpers);
  await tab.addInitScript(`window.run = async () => {
    await until(() => window.find()?.video, 5000);
    const player = find();
    look();
    ${placed(job.script)}
  };`);
  if (job.before) await tab.addInitScript(job.before);
  tab.on("console", (message) => {
    if (["error", "warning"].includes(message.type()))
      errors.push(`${message.text()} ${message.location().url}`);
  });
  await tab.exposeFunction("press", (key) => tab.keyboard.press(key));
  tab.on("download", (download) => downloads.push(download.suggestedFilename()));
  tab.on("pageerror", (error) => errors.push(String(error)));
  tab.on("request", (request) => requests.push({ url: request.url(), method: request.method(),
    headers: request.headers() }));
  for (const mock of job.mocks ?? [])
    await tab.route(mock.url, (route) => {
      if (mock.method && route.request().method() !== mock.method) return route.fallback();
      return route.fulfill({ status: mock.status, headers: mock.headers ?? {}, body: mock.body ?? "" });
    });
  await tab.goto(placed(job.url));
  const place = job.frame ? await (await tab.waitForSelector("iframe")).contentFrame() : tab;
  const value = await place.evaluate(() => window.run());
  errors.push(...(await place.evaluate(() => window.violations)));
  console.log(JSON.stringify({ value, errors, requests, downloads, origin }));
} catch (error) {
  console.error(error, errors);
  process.exitCode = 1;
} finally {
  await browser.close();
  site.close();
  rmSync(profile, { recursive: true, force: true });
}
