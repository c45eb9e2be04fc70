// Single calls to a server that is being started or looked at, not measured.

/** No answer by then is none. */
const CALL_LIMIT_MS = 2_000;

/** Whether `GET path` is answered with 200. */
export async function answers(port: number, path: string): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      signal: AbortSignal.timeout(CALL_LIMIT_MS),
    });
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false;
  }
}

/** The JSON that a GET, or with a body a POST, is answered with. */
export async function json(port: number, path: string, body?: object): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    signal: AbortSignal.timeout(CALL_LIMIT_MS),
    ...(body && { method: "POST", body: JSON.stringify(body) }),
  });
  return response.json();
}
