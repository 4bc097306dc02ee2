// Before a page's own scripts: a WHEP server inside the page, so that the player's half of WebRTC is
// tested against a browser's. window.fakeWhep tells what it was asked and holds its peer.
const fake = (window.fakeWhep = { posts: [], deletes: [], channel: null, peer: null });
const realFetch = window.fetch;

function moving() {
  const canvas = document.createElement("canvas");
  canvas.width = 320;
  canvas.height = 180;
  const pen = canvas.getContext("2d");
  let turn = 0;
  setInterval(() => {
    pen.fillStyle = `hsl(${turn++ % 360} 90% 50%)`;
    pen.fillRect(0, 0, 320, 180);
  }, 40);
  return canvas.captureStream(25);
}

function tell(channel) {
  setInterval(() => {
    if (channel.readyState === "open")
      channel.send(JSON.stringify({ stream: "live", camera: "live", agent: "online", width: 320,
        height: 180, bps: 1000, wall_us: Date.now() * 1000, ...fake.news }));
  }, 200);
}

async function answer(offer) {
  const peer = (fake.peer = new RTCPeerConnection());
  await peer.setRemoteDescription({ type: "offer", sdp: offer });
  const stream = moving();
  if (!fake.quiet) peer.addTrack(stream.getVideoTracks()[0], stream);
  fake.channel = peer.createDataChannel("culvert");
  tell(fake.channel);
  await peer.setLocalDescription(await peer.createAnswer());
  await new Promise((done) => {
    peer.onicegatheringstatechange = () => peer.iceGatheringState === "complete" && done();
    setTimeout(done, 1000);
  });
  return peer.localDescription.sdp;
}

window.fetch = async (url, options = {}) => {
  if (!String(url).includes("/whep/")) return realFetch(url, options);
  if (options.method === "DELETE") {
    fake.deletes.push(String(url));
    return new Response(null, { status: 204 });
  }
  fake.posts.push({ url: String(url), headers: options.headers, offer: options.body });
  const response = new Response(await answer(options.body), {
    status: 201, headers: { location: "/whep/door/one", "content-type": "application/sdp" } });
  Object.defineProperty(response, "url", { value: String(url) });
  return response;
};
