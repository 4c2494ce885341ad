// Bundles what the pages load into ../static, each file named by its content's hash, and lists them in
// manifest.json. Called by scripts/build_web.py, which decides whether there is anything to do.
import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const assets = join(here, "..", "assets");
const served = join(here, "..", "static");
const out = `${served}.building`; // takes the place of the served files in one step, when all is there
const modules = join(here, "node_modules");
const manifest = {};

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });

const bundled = await build({
  absWorkingDir: here,
  nodePaths: [modules],
  entryPoints: [
    join(assets, "console.css"),
    join(assets, "js", "console.js"),
    join(assets, "js", "chart.js"),
    join(assets, "js", "documentation.js"),
  ],
  outdir: out,
  entryNames: "[name]-[hash]",
  bundle: true,
  minify: true,
  metafile: true,
  format: "esm",
  target: ["chrome109", "firefox115", "safari16"],
  legalComments: "none",
  loader: { ".svg": "file" },
});
for (const [file, { entryPoint }] of Object.entries(bundled.metafile.outputs)) {
  if (entryPoint) manifest[basename(entryPoint)] = basename(file);
}

for (const file of [
  join(assets, "icons.svg"),
  join(assets, "favicon.svg"),
  join(assets, "app-icon.svg"),
  join(assets, "app-icon-180.png"),
  join(assets, "app-icon-192.png"),
  join(assets, "app-icon-512.png"),
  join(modules, "swagger-ui-dist", "swagger-ui.css"),
  join(modules, "swagger-ui-dist", "swagger-ui-bundle.js"),
]) {
  const [stem, extension] = basename(file).split(/\.(?=[^.]+$)/);
  const hash = createHash("sha256").update(await readFile(file)).digest("hex").slice(0, 8).toUpperCase();
  manifest[basename(file)] = `${stem}-${hash}.${extension}`;
  await copyFile(file, join(out, manifest[basename(file)]));
}

const licences = [];
for (const [name, file] of [["htmx.org", "LICENSE"], ["uplot", "LICENSE"], ["swagger-ui-dist", "LICENSE"]]) {
  licences.push(`${name}\n\n${await readFile(join(modules, name, file), "utf8")}`);
}
await writeFile(join(out, "LICENSES.txt"), licences.join(`\n${"-".repeat(79)}\n\n`));

const listed = Object.fromEntries(Object.entries(manifest).sort());
await writeFile(join(out, "manifest.json"), JSON.stringify({ inputs: process.argv[2], files: listed }, null, 2) + "\n");
// Sent as they are to browsers that take gzip: nothing is compressed twice.
for (const name of Object.values(manifest)) {
  const body = await readFile(join(out, name));
  await writeFile(join(out, `${name}.gz`), gzipSync(body, { level: 9 }));
}
await rm(served, { recursive: true, force: true });
await rename(out, served);
