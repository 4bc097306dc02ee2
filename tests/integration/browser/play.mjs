// Plays an HLS address in headless Chromium with hls.js, low latency on, and prints what it saw as JSON.
//
//     node play.mjs FOLDER URL SECONDS      FOLDER holds node_modules
import { createServer } from "node:http";
import { readFileSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [folder, url, seconds] = process.argv.slice(2);
const require = createRequire(join(folder, "package.json"));
const { chromium } = require("playwright-core");
const script = readFileSync(join(folder, "node_modules/hls.js/dist/hls.min.js"));

const page = `<!doctype html><video id="v" muted autoplay playsinline></video>
<script src="/hls.js"></script><script>
const video = document.getElementById("v"), seen = { errors: [], latencies: [], drifts: [] };
const hls = new Hls({ lowLatencyMode: true, maxLiveSyncPlaybackRate: 1.2 });
hls.on(Hls.Events.ERROR, (_, e) => seen.errors.push(e.details + (e.fatal ? " (fatal)" : "")));
hls.loadSource(${JSON.stringify(url)});
hls.attachMedia(video);
setInterval(() => {
  if (video.currentTime && hls.latency) seen.latencies.push(hls.latency);
  if (hls.playingDate) seen.drifts.push((Date.now() - hls.playingDate.getTime()) / 1000);
}, 200);
window.look = () => ({ ...seen, frames: video.getVideoPlaybackQuality().totalVideoFrames,
  dropped: video.getVideoPlaybackQuality().droppedVideoFrames, time: video.currentTime,
  width: video.videoWidth, target: hls.targetLatency });
</script>`;

const server = createServer((request, response) => {
  const isScript = request.url === "/hls.js";
  response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
  response.end(isScript ? script : page);
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const profile = mkdtempSync(join(tmpdir(), "culvert-chromium-"));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: "/usr/bin/chromium", headless: true, ignoreHTTPSErrors: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--ignore-certificate-errors", "--autoplay-policy=no-user-gesture-required"],
});
try {
  const tab = await browser.newPage();
  await tab.goto(`http://127.0.0.1:${server.address().port}/`);
  await tab.waitForTimeout(Number(seconds) * 1000);
  console.log(JSON.stringify(await tab.evaluate(() => window.look())));
} finally {
  await browser.close();
  server.close();
  rmSync(profile, { recursive: true, force: true });
}
