// The service, as the pages ask it. A key stays in this tab until it is closed.

/** An answer that is an error; `status` 0: there was no answer. */
export class ServiceError extends Error {
  constructor(message, status, retryAfter = 0) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

const place = (scope) => `semcore-key-${scope}`;

/** The key for a scope, "search" or "admin"; "" if there is none. */
export const keyFor = (scope) => sessionStorage.getItem(place(scope)) ?? "";

export function setKey(scope, key) {
  sessionStorage.setItem(place(scope), key);
  clusters = undefined; // what was asked for without it
}

/** Ask for JSON. `form` is sent as it is, `body` as JSON. Throws ServiceError, or AbortError. */
export async function ask(path, { method = "GET", body, form, signal, scope = "search" } = {}) {
  const response = await fetched(path, {
    method,
    signal,
    headers: { ...headers(scope), ...(body ? { "Content-Type": "application/json" } : {}) },
    body: form ?? (body ? JSON.stringify(body) : undefined),
  });
  return response.json();
}

/** The bytes of a picture, a Blob. Throws ServiceError. */
export async function bytes(path) {
  const response = await fetched(path, { headers: headers("search") });
  return response.blob();
}

/** Give an <img> its picture; one that cannot be had stays empty, with its description. */
export function show(image, path) {
  if (keyFor("search")) {
    paths.set(image, path);
    near.observe(image);
  } else image.setAttribute("src", path);
  return image;
}

// With a key a picture is fetched as bytes, which "loading" does not put off until it is near.
const paths = new WeakMap();
const near = new IntersectionObserver((seen) => {
  for (const { isIntersecting, target } of seen) {
    if (!isIntersecting) continue;
    near.unobserve(target);
    bytes(paths.get(target)).then(
      (found) => {
        const address = URL.createObjectURL(found);
        target.addEventListener("load", () => URL.revokeObjectURL(address), { once: true });
        target.setAttribute("src", address);
      },
      () => target.removeAttribute("src"),
    );
  }
}, { rootMargin: "100%" });

let clusters;

/** What each cluster of an index says, by Global ID; asked for once a page. */
export function clusterWords(kind) {
  clusters ??= {};
  clusters[kind] ??= ask(`/identifiers?kind=${kind}&items=0&branches=5000`).then(
    (tree) =>
      new Map(tree.branches.map((one) => [Number(one.identifier.slice(2, -1)), one.words])),
    () => {
      delete clusters[kind];
      return new Map();
    },
  );
  return clusters[kind];
}

const headers = (scope) => (keyFor(scope) ? { "X-API-Key": keyFor(scope) } : {});

async function fetched(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServiceError("The service does not answer; is it still running?", 0);
  }
  if (response.ok) return response;
  const told = await response.json().catch(() => ({}));
  const after = Number(response.headers.get("Retry-After") ?? 0);
  throw new ServiceError(told.error ?? `The service answered ${response.status}.`, response.status, after);
}
