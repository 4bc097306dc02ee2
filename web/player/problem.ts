// What is wrong, in words, and what may mend it.

// later: by itself, try again; other: another transport may do; person: only a person can mend it.
export type Cure = "later" | "other" | "person";

export class Problem extends Error {
  constructor(
    readonly title: string,
    readonly detail: string,
    readonly cure: Cure,
    readonly retryAfterS = 0,
  ) {
    super(detail ? `${title}. ${detail}` : title + ".");
  }
}

const TITLES: Record<number, [string, Cure]> = {
  400: ["The server doesn't understand this player", "other"],
  401: ["No such token", "person"],
  403: ["Not allowed", "person"],
  404: ["No such camera", "person"],
  406: ["This browser can't play what the camera sends", "other"],
  429: ["Too many viewers", "later"],
  503: ["The camera is away", "later"],
};

// What the server says in place of a stream, problem+json (RFC 9457) or not.
export async function problemOf(response: Response): Promise<Problem> {
  const [title, cure] = TITLES[response.status] ?? ["The server can't answer now", "later"];
  let body: { detail?: unknown; rule?: unknown } = {};
  try {
    body = await response.json();
  } catch {
    // Something between us and the server answered; its status has to do.
  }
  const rule = typeof body.rule === "string" ? body.rule : "";
  const detail = typeof body.detail === "string" ? body.detail : "";
  const wait = Number(response.headers.get("retry-after")) || 0;
  // Without a rule a 404 or 405 says that this server has no such route, not what it thinks of us.
  if (!rule && (response.status === 404 || response.status === 405))
    return new Problem("This server doesn't have this way to play", "", "other");
  if (rule === "protocol") return new Problem(title, detail, "other");
  if (rule === "no-token") return new Problem("No token", detail, "person");
  if (rule === "overloaded" || rule === "memory" || rule === "draining")
    return new Problem("The server is busy", detail, "later", wait);
  return new Problem(title, detail, cure, wait);
}

export function problemOfNetwork(): Problem {
  const detail = navigator.onLine === false ? "This device is offline." : "";
  return new Problem("The server can't be reached", detail, "later");
}

export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof TypeError) return problemOfNetwork(); // what fetch throws
  return new Problem("Playing failed", error instanceof Error ? error.message : "", "later");
}

// fetch with a deadline; anything but 2xx is thrown as a Problem.
export async function ask(url: string, options: RequestInit, seconds: number): Promise<Response> {
  const deadline = new AbortController();
  const outer = options.signal;
  const abort = () => deadline.abort();
  const timer = setTimeout(abort, seconds * 1000);
  outer?.addEventListener("abort", abort);
  if (outer?.aborted) abort();
  try {
    const response = await fetch(url, { ...options, signal: deadline.signal, cache: "no-store" });
    if (!response.ok) throw await problemOf(response);
    return response;
  } catch (error) {
    if (deadline.signal.aborted && !outer?.aborted)
      throw new Problem("The server doesn't answer", "", "later");
    throw error;
  } finally {
    clearTimeout(timer);
    outer?.removeEventListener("abort", abort);
  }
}
