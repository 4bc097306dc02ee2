// The camera's last key frame, to show until the first picture comes.
import { type Address, credentials, urlOf } from "./address";

const BYTES_MAX = 8 << 20;

// Shows it on the video unless something plays already; a camera without one shows none. The
// function that is returned takes it away again.
export function showPoster(address: Address, video: HTMLVideoElement): () => void {
  const leaving = new AbortController();
  let url = "";

  const load = async () => {
    const options = { headers: credentials(address), signal: leaving.signal };
    const response = await fetch(urlOf(address, "/s/SLUG/snapshot.jpg"), options);
    if (!response.ok || !response.headers.get("content-type")?.startsWith("image/")) return;
    const blob = await response.blob();
    if (leaving.signal.aborted || blob.size > BYTES_MAX || video.videoWidth) return;
    url = URL.createObjectURL(blob);
    video.poster = url;
  };
  load().catch(() => undefined);

  return () => {
    leaving.abort();
    video.removeAttribute("poster");
    if (url) URL.revokeObjectURL(url);
  };
}
