/** A module of the built product, with its types: the benchmarks measure what is shipped (`npm run build` first). */
export function built<Module>(path: string): Promise<Module> {
  return import(new URL(`../dist/${path}`, import.meta.url).href) as Promise<Module>;
}
