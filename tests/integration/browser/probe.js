// What the tests of real pictures look with. A page's script: before its own in Chromium, later in
// Firefox. window.probe tells when things happened, in performance.now()'s milliseconds.
window.probe = (() => {
  const BRIGHT = 225; // the clock's digits; no bar behind them is as bright
  const probe = { firstDrawn: 0, drawn: 0 };
  const element = () => {
    const found = document.querySelector("culvert-player");
    return found?.wrappedJSObject ?? found;
  };

  function watch() {
    const video = element()?.video;
    if (!video) return requestAnimationFrame(watch);
    const count = (now) => {
      probe.firstDrawn ||= now;
      probe.drawn++;
      video.requestVideoFrameCallback(count);
    };
    video.requestVideoFrameCallback(count);
  }
  requestAnimationFrame(watch);

  function pen(width, height) {
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    return canvas.getContext("2d", { willReadFrequently: true });
  }

  function pixels(to, width, height) {
    to.drawImage(element().video, 0, 0, width, height, 0, 0, width, height);
    return to.getImageData(0, 0, width, height).data;
  }

  // How long after WHEP's POST began the first picture was drawn.
  probe.firstPictureMs = () => {
    const post = performance.getEntriesByType("resource").find(({ name }) => name.includes("/whep/"));
    return probe.firstDrawn - post.startTime;
  };

  // The share of the picture that is another one a while later.
  probe.moved = async () => {
    const { videoWidth, videoHeight } = element().video;
    const to = pen(videoWidth, videoHeight);
    const before = pixels(to, videoWidth, videoHeight);
    await new Promise((done) => setTimeout(done, 400));
    const after = pixels(to, videoWidth, videoHeight);
    let changed = 0;
    for (let i = 0; i < after.length; i += 4) changed += Math.abs(after[i] - before[i]) > 40;
    return changed / (after.length / 4);
  };

  // The rows of getStats of what comes in, by kind, and the selected pair of candidates.
  probe.stats = async () => {
    const seen = {};
    const report = await element().session.current.peer.getStats();
    report.forEach((row) => {
      if (row.type === "inbound-rtp") seen[row.kind] = row;
      if (row.type === "candidate-pair" && row.nominated && row.state === "succeeded") {
        const { protocol, port } = report.get(row.remoteCandidateId);
        seen.pair = { protocol, port };
      }
    });
    return JSON.parse(JSON.stringify(seen));
  };

  // The camera's clock, in the picture's upper left corner, goes on with each second of the wall's: by
  // picture, how many of its pixels changed and when it is on the screen, in wall milliseconds.
  probe.clock = (seconds) => new Promise((done) => {
    const { video } = element(), to = pen(200, 50), rows = [];
    let before = null;
    const take = (now, { expectedDisplayTime }) => {
      const shown = Date.now() + expectedDisplayTime - performance.now();
      const data = pixels(to, 200, 50), mask = [];
      for (let i = 0; i < data.length; i += 4)
        mask.push(Math.min(data[i], data[i + 1], data[i + 2]) > BRIGHT);
      if (before) rows.push([shown, mask.filter((bright, i) => bright !== before[i]).length]);
      before = mask;
      if (rows.length && shown - rows[0][0] > seconds * 1000) done(rows);
      else video.requestVideoFrameCallback(take);
    };
    video.requestVideoFrameCallback(take);
  });
  return probe;
})();
