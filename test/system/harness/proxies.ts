// Real proxies from Debian, in front of front ends.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Running } from "../../../lab/process.ts";
import { programPath } from "../../../scripts/ensure-packages.ts";

/** Starts nginx in `folder`, which it keeps all its files in; `http`: what stands in its `http` block. */
export function startNginx(folder: string, http: string): Running {
  const config = `
daemon off;
pid ${folder}/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
${http}
}
`;
  return started("nginx", folder, config, (file) => ["-p", folder, "-c", file]);
}

/** Starts haproxy with this configuration. */
export function startHaproxy(folder: string, config: string): Running {
  return started("haproxy", folder, config, (file) => ["-db", "-f", file]);
}

function started(
  program: string,
  folder: string,
  config: string,
  args: (file: string) => readonly string[],
): Running {
  const path = programPath(program);
  if (path === null)
    throw new Error(`no ${program}: run node scripts/ensure-packages.ts ${program}`);
  const file = join(folder, `${program}.conf`);
  writeFileSync(file, config);
  return new Running(path, args(file));
}
