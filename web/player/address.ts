// What to play: where the server is, the stream's name, and the token, which never is in a query.

export interface Address {
  server: string; // origin and nothing more: "https://relay.example.org"
  slug: string;
  profile: string; // "sub" for the camera's smaller stream, else ""
  token: string; // "" without one
  embedder: string; // origin of the page around our frame; "" when there is none
}

// "#token=cv1_…" or "#cv1_…".
export function tokenOf(fragment: string): string {
  const text = fragment.replace(/^#/, "");
  const named = new URLSearchParams(text).get("token");
  return named ?? (text.startsWith("cv1_") ? text : "");
}

// "front-door", "/s/front-door" or "https://relay.example.org/s/front-door#cv1_…"; a bare name is
// a stream of the server that this module came from. Null when it names nothing.
export function addressOf(src: string, token: string | null): Address | null {
  const home = new URL(import.meta.url).origin;
  const named = /^[\w.-]+(#|$)/.test(src);
  let url: URL;
  try {
    url = new URL(named ? "/s/" + src : src, home);
  } catch {
    return null;
  }
  const path = /^\/(?:s|embed|whep|hls)\/([^/]+)/.exec(url.pathname);
  if (!path || !/^https?:$/.test(url.protocol)) return null;
  return {
    server: url.origin,
    slug: decodeURIComponent(path[1]),
    profile: url.searchParams.get("profile") ?? "",
    token: token || tokenOf(url.hash),
    embedder: "",
  };
}

// The address of our own pages, /s/SLUG and /embed/SLUG.
export function addressOfPage(): Address | null {
  const address = addressOf(location.href, null);
  return address && { ...address, embedder: embedder() };
}

// Inside a frame our requests carry our own origin; who is around us decides whether the token
// allows it. "null" is an origin that no token allows.
function embedder(): string {
  if (window.parent === window) return "";
  const ancestors = location.ancestorOrigins;
  if (ancestors?.length) return ancestors[0];
  try {
    return new URL(document.referrer).origin;
  } catch {
    return "null";
  }
}

// Headers of every request that needs the token.
export function credentials(address: Address): Record<string, string> {
  const headers: Record<string, string> = {};
  if (address.token) headers.authorization = "Bearer " + address.token;
  if (address.embedder) headers["culvert-embedder"] = address.embedder;
  return headers;
}

export function urlOf(address: Address, path: string): string {
  const query = address.profile ? "?profile=" + encodeURIComponent(address.profile) : "";
  return address.server + path.replace("SLUG", encodeURIComponent(address.slug)) + query;
}
